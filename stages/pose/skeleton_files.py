"""Ground-truth skeletons that come with a data set, as keypoints of a clip's frames."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipeline.errors import ClipError
from recognizer.skeletons import LAYOUTS, NTU25, Layout

_LEAST_SHARE = 0.9
"""Of the frames wanted, how many the file must have: recordings of skeletons and videos differ by a few at the end."""


def read_skeletons(path: Path, indices: Sequence[int], persons: int) -> tuple[np.ndarray, Layout]:
    """Keypoints float M,T,R,3 (x, y in pixels of the video, score; zeros where missing) of the frames ``indices``.

    Reads ``.npz`` (``keypoints``: M,T,R,3 or M,T,R,2, best person first; ``layout``: a name) and NTU RGB+D's
    ``.skeleton`` text, of which the ``persons`` bodies that move most are taken. Raises ClipError with the place of
    what is wrong.
    """
    if not path.is_file():
        raise ClipError(f"skeleton file {path} not found")
    readers = {".npz": _read_npz, ".skeleton": _read_ntu}
    if path.suffix not in readers:
        raise ClipError(f"skeleton file {path}: ending {path.suffix!r} is not known (.npz or .skeleton)")
    everything, layout = readers[path.suffix](path)
    length = everything.shape[1]
    wanted = np.asarray(indices)
    there = wanted < length
    if there.mean() < _LEAST_SHARE:
        raise ClipError(f"skeleton file {path} has {length} frames, but the video's frame {wanted.max()} is wanted")
    keypoints = np.zeros((min(persons, len(everything)), len(wanted), layout.count, 3))
    keypoints[:, there] = everything[:persons, wanted[there]]
    keypoints[~np.isfinite(keypoints).all(3) | (keypoints[..., 2] <= 0)] = 0
    return keypoints, layout


def _read_npz(path: Path) -> tuple[np.ndarray, Layout]:
    try:
        with np.load(path, allow_pickle=False) as file:
            keypoints, name = file["keypoints"].astype(float), str(file["layout"])
    except KeyError as error:
        raise ClipError(f"skeleton file {path} lacks the array {error}") from error
    except Exception as error:
        raise ClipError(f"skeleton file {path} cannot be read as .npz: {error}") from error
    if name not in LAYOUTS:
        raise ClipError(f"skeleton file {path}: layout {name!r} is not known ({', '.join(LAYOUTS)})")
    layout = LAYOUTS[name]
    if keypoints.ndim != 4 or keypoints.shape[2] != layout.count or keypoints.shape[3] not in (2, 3):
        raise ClipError(
            f"skeleton file {path}: keypoints are {keypoints.shape}, not M,T,{layout.count},2 or 3 ({name})"
        )
    if keypoints.shape[3] == 2:
        keypoints = np.concatenate([keypoints, np.isfinite(keypoints).all(3, keepdims=True)], axis=3)
    keypoints[..., 2] = keypoints[..., 2].clip(0, 1)  # some data sets write COCO's visibility: 2 is visible
    return keypoints, layout


def _read_ntu(path: Path) -> tuple[np.ndarray, Layout]:
    """The text has, line by line: how many frames; for each frame how many bodies; for each body its state (the id
    first), how many joints, and for each joint 12 numbers, of which the 6th and 7th are pixels of the color video."""
    lines = path.read_text(errors="replace").splitlines()
    at = 0

    def take(count: int, what: str) -> list[str]:
        nonlocal at
        fields = lines[at].split() if at < len(lines) else []
        at += 1
        if len(fields) < count:
            raise ClipError(f"skeleton file {path}, line {at}: expected {what}")
        return fields

    bodies: dict[str, np.ndarray] = {}
    try:
        length = int(take(1, "the number of frames")[0])
        for frame in range(length):
            for _ in range(int(take(1, "the number of bodies")[0])):
                body = take(1, "a body's state")[0]
                if int(take(1, "the number of joints")[0]) != NTU25.count:
                    raise ClipError(f"skeleton file {path}, line {at}: expected {NTU25.count} joints")
                places = bodies.setdefault(body, np.zeros((length, NTU25.count, 3)))
                for joint in range(NTU25.count):
                    numbers = take(12, "the 12 numbers of a joint")
                    places[frame, joint] = float(numbers[5]), float(numbers[6]), 1
    except ValueError as error:
        raise ClipError(f"skeleton file {path}, line {at}: {error}") from error
    if not bodies:
        raise ClipError(f"skeleton file {path} has no body in any of {length} frames")
    ranked = sorted(bodies, key=lambda body: _motion(bodies[body]), reverse=True)
    return np.stack([bodies[body] for body in ranked]), NTU25


def _motion(places: np.ndarray) -> float:
    """How much a body (T,R,3) moves: variance of its joints in pixels², times the frames it is there.

    Bodies that the sensor saw in furniture hardly move, or soon vanish.
    """
    there = places[:, 0, 2] > 0
    return float(np.nan_to_num(places[there, :, :2]).var(axis=0).sum() * there.sum())
