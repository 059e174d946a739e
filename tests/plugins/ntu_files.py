"""NTU RGB+D for tests: names of samples by the published numbers, skeleton files, and a small set of real files."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from video_files import write_video

Pixels = np.ndarray
"""25,2: where the joints are in the color video of 1920 x 1080."""


def sample_name(setup: int, camera: int, performer: int, replication: int, action: int) -> str:
    return f"S{setup:03}C{camera:03}P{performer:03}R{replication:03}A{action:03}"


def names_60(training: Sequence[int]) -> Iterator[str]:
    """As many samples as NTU RGB+D 60 has, each performer in as many of the setups as the published counts imply.

    training: the training subjects. 112 of 158 visits to a setup are theirs, and in each a performer does 60 actions
    twice before three cameras. Which performer visits which setup is made up.
    """
    testing = [subject for subject in range(1, 41) if subject not in training]
    visits = [(1 + i % 17, training[i % 20]) for i in range(112)] + [(1 + i % 17, testing[i % 20]) for i in range(46)]
    yield from _visits(visits, range(1, 61))


def names_120(training: Sequence[int]) -> Iterator[str]:
    """The further 60 actions of NTU RGB+D 120: 64 of 160 visits are of training subjects, and the number of visits to
    setups with even numbers makes 152 together with those of ``names_60``."""
    testing = [subject for subject in range(41, 107) if subject not in training]
    even = 152 - sum(name.startswith("S") and int(name[1:4]) % 2 == 0 for name in names_60(training[:20])) // 360
    setups = [18 + 2 * (i % 8) for i in range(even)] + [19 + 2 * (i % 7) for i in range(160 - even)]
    new = training[20:]
    performers = [new[i % 33] for i in range(64)] + [testing[i % 33] for i in range(96)]
    visits = list(zip(setups, performers, strict=True))
    assert len(set(visits)) == len(visits)
    yield from _visits(visits, range(61, 121))


def _visits(visits: Sequence[tuple[int, int]], actions: range) -> Iterator[str]:
    for setup, performer in visits:
        for action in actions:
            for replication in (1, 2):
                for camera in (1, 2, 3):
                    yield sample_name(setup, camera, performer, replication, action)


def skeleton_text(frames: Sequence[Mapping[str, Pixels]]) -> str:
    """The text of a skeleton file of frames, each with the pixels of its bodies by id."""
    lines = [str(len(frames))]
    for bodies in frames:
        lines.append(str(len(bodies)))
        for body, pixels in bodies.items():
            lines += [f"{body} 0 1 1 1 1 0 0.1 0.2 2", "25"]
            lines += [f"0.1 0.2 3.0 300.5 200.5 {x:.4f} {y:.4f} 0 0 0 1 2" for x, y in pixels]
    return "\n".join(lines) + "\n"


def upright(x: float, y: float = 500) -> Pixels:
    """Somebody who stands around this place: 25 joints in 100 x 400 pixels."""
    rng = np.random.default_rng(25)
    return np.stack([rng.uniform(-50, 50, 25), np.linspace(-200, 200, 25)], axis=1) + np.array([x, y])


def write_small_set(root: Path, actions: Sequence[int] = (1, 60), setups: Sequence[int] = (1, 2)) -> list[str]:
    """Write samples as the archives unpack: videos, and skeleton files of one person, or two from action 50 on.

    Performer 1 is for training and performer 3 for testing; all three cameras. Returns the samples' names.
    """
    for folder in ("nturgb+d_rgb", "nturgb+d_skeletons"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    names = []
    for setup in setups:
        for performer in (1, 3):
            for camera in (1, 2, 3):
                for action in actions:
                    name = sample_name(setup, camera, performer, 1, action)
                    people = {"7": 700} if action < 50 else {"7": 700, "9": 1200}
                    frames = [
                        {body: upright(x + 10 * t * (-1) ** action, 500 + 3 * t) for body, x in people.items()}
                        for t in range(16)
                    ]
                    (root / "nturgb+d_skeletons" / f"{name}.skeleton").write_text(skeleton_text(frames))
                    write_video(root / "nturgb+d_rgb" / f"{name}_rgb.avi", 16, rate=30, height=72, width=128)
                    names.append(name)
    return names
