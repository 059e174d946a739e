"""Small copies of FineGYM as people have it: annotations, and the same actions as trimmed or longer files."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import av
import cv2
import numpy as np

from stages.synthetic.actions import ACTIONS
from stages.synthetic.clip import Clip, draw

BEFORE = 15
"""Frames of a video before its first event, and between two events."""
BETWEEN = 3
"""Frames of an event before its first action, and between two actions."""
PER_EVENT, PER_VIDEO = 2, 4
"""Actions."""


class Take(NamedTuple):
    """An action that somebody filmed."""

    frames: Sequence[np.ndarray]
    """T images, uint8 H,W,3, all takes of a copy in the same size."""
    number: int
    """Of its class."""
    split: str
    """``train`` or ``val``, as the lists call it."""


class Placed(NamedTuple):
    """An action in a video: frame numbers, the end exclusive."""

    take: Take
    video: str
    event: tuple[int, int]
    action: tuple[int, int]
    """In the event."""

    def keys(self, rate: int) -> tuple[str, str]:
        """The parts of the id after the video's, in whole seconds."""
        event, action = ([frame // rate for frame in span] for span in (self.event, self.action))
        return f"E_{event[0]:06}_{event[1]:06}", f"A_{action[0]:04}_{action[1]:04}"

    def name(self, rate: int) -> str:
        return "_".join([self.video, *self.keys(rate)])


def write_copy(
    root: Path, takes: Iterable[Take], folders: Sequence[str], rate: int = 10, categories: str = "gym99"
) -> dict[str, Take]:
    """Write annotations and those folders (actions, frames, events, videos); returns the takes by id.

    Videos are written without losses, so that each folder has the same pixels.
    """
    placed = list(_placed(list(takes)))
    _write_annotations(root / "annotations", placed, rate, categories)
    for folder in folders:
        (root / folder).mkdir(parents=True)
    by_event: dict[str, list[Placed]] = {}
    by_video: dict[str, list[Placed]] = {}
    for one in placed:
        by_event.setdefault("_".join([one.video, one.keys(rate)[0]]), []).append(one)
        by_video.setdefault(one.video, []).append(one)
        if "actions" in folders:
            write_lossless(root / "actions" / f"{one.name(rate)}.mkv", one.take.frames, rate)
        if "frames" in folders:
            (root / "frames" / one.name(rate)).mkdir()
            for number, frame in enumerate(one.take.frames, 1):
                image = cv2.cvtColor(frame, cv2.COLOR_RGB2BGR)
                cv2.imwrite(str(root / "frames" / one.name(rate) / f"image_{number:06}.png"), image)
    for folder, of_each in (("events", by_event), ("videos", by_video)):
        for name, own in of_each.items() if folder in folders else ():
            origin = own[0].event[0] if folder == "events" else 0
            write_lossless(root / folder / f"{name}.mkv", _joined(own, origin), rate)
    return {one.name(rate): one.take for one in placed}


def _placed(takes: list[Take]) -> Iterable[Placed]:
    """The takes of each split one after the other, in events of PER_EVENT and videos of PER_VIDEO."""
    for split in dict.fromkeys(take.split for take in takes):
        own = [take for take in takes if take.split == split]
        for first in range(0, len(own), PER_VIDEO):
            video, moment = f"{split:_<7}{first // PER_VIDEO:04}", BEFORE
            for i in range(first, min(first + PER_VIDEO, len(own)), PER_EVENT):
                event = own[i : min(i + PER_EVENT, first + PER_VIDEO)]
                starts = [BETWEEN]
                for take in event:
                    starts.append(starts[-1] + len(take.frames) + BETWEEN)
                span = (moment, moment + starts[-1])
                for take, start in zip(event, starts, strict=False):
                    yield Placed(take, video, span, (start, start + len(take.frames)))
                moment = span[1] + BEFORE


def _joined(own: list[Placed], origin: int) -> list[np.ndarray]:
    """The frames of a longer file that begins at frame ``origin`` of the video; gray where there is no action."""
    gray = np.full_like(own[0].take.frames[0], 128)
    frames = [gray] * (max(one.event[1] for one in own) - origin)
    for one in own:
        start = one.event[0] + one.action[0] - origin
        frames[start : start + len(one.take.frames)] = one.take.frames
    return frames


def _write_annotations(folder: Path, placed: list[Placed], rate: int, categories: str) -> None:
    folder.mkdir(parents=True)
    numbers = range(max(one.take.number for one in placed) + 1)
    write_categories(folder / f"{categories}_categories.txt", [f"(FX) element {number}" for number in numbers])
    for split, name in (("train", "train_element_v1.0"), ("val", "val_element")):
        lines = [f"{one.name(rate)} {one.take.number}\n" for one in placed if one.take.split == split]
        (folder / f"{categories}_{name}.txt").write_text("".join(lines))
    times: dict[str, Any] = {}
    for one in placed:
        event_key, action_key = one.keys(rate)
        event_span, action_span = ([frame / rate for frame in span] for span in (one.event, one.action))
        event = times.setdefault(one.video, {}).setdefault(
            event_key, {"event": 2, "segments": {}, "timestamps": [event_span]}
        )
        event["segments"][action_key] = {"stages": 1, "timestamps": [action_span]}
    (folder / "finegym_annotation_info_v1.1.json").write_text(json.dumps(times))


def write_categories(file: Path, names: Sequence[str], sets: Sequence[int] | None = None) -> None:
    """As published; class k is of set ``sets[k]``."""
    groups = sets or [21] * len(names)
    rows = enumerate(zip(names, groups, strict=True))
    file.write_text("".join(f"Clabel: {k:3}; set: {group:2}; Glabel: {k:3}; {name}\n" for k, (name, group) in rows))


def write_lossless(path: Path, frames: Sequence[np.ndarray], rate: int) -> None:
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("ffv1", rate=rate)
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = "bgr0"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")))
        container.mux(stream.encode())


def drawn_takes(classes: int, per_class: int, size: int = 96) -> list[Take]:
    """Drawn people, 4:3, one second at 20 frames a second: of each class ``per_class`` takes for training and one for
    testing."""
    takes = []
    for i in range(per_class + 1):
        for number, action in enumerate(list(ACTIONS)[:classes]):
            frames = draw(Clip(0, "train", action, i, size)).frames[:20]
            margin = (size * 4 // 3 - frames[0].shape[1]) // 2
            wide = [np.pad(frame, ((0, 0), (margin, margin), (0, 0)), mode="edge") for frame in frames]
            takes.append(Take(wide, number, "train" if i < per_class else "val"))
    return takes


def filmed_takes(folder: Path) -> list[Take]:
    """The GIF files of a folder, each of them once for training and once for testing."""
    takes = []
    for number, file in enumerate(sorted(folder.glob("*.gif"))):
        with av.open(str(file)) as container:
            frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        takes += [Take(frames, number, "train"), Take(frames, number, "val")]
    return takes
