"""FineGYM (Shao et al. 2020) as it is distributed: lists of actions, and videos, whole or trimmed."""

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar, Literal

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from pipeline.errors import ManifestError
from pipeline.stage import Problem, Source, Stage, Table
from pipeline.texts import count
from stages.places import address_of, fingerprint, folder_here
from stages.sources.files import VIDEO_EXTENSIONS, skeleton_fingerprint
from stages.sources.finegym_annotations import TIMES, Action, Annotations, Span
from stages.sources.rows import clips_table
from stages.tables import CLIPS

TRIMMED = ("actions", "subactions", "frames")
"""Folders of whole actions, the first choice first."""
LONGER = ("events", "videos")
"""Folders of files that actions are spans of, the first choice first."""

PUBLISHED = {
    ("gym99", "v1.0"): (20_484, 8_521),
    ("gym99", "v1.1"): (26_320, 8_521),
    ("gym288", "v1.0"): (22_671, 9_646),
    ("gym288", "v1.1"): (29_334, 9_646),
}
"""Clips of the training list and of the validation list."""


class FineGym(Source):
    """One clip per line of the published lists, from whichever folder has it.

    ``root/annotations`` contains the lists and categories under their published names. Beside it are any of ``actions``
    or ``subactions`` (trimmed actions), ``frames`` (a folder of images per action), ``events`` (trimmed events) and
    ``videos`` (as downloaded), whose files have the published ids as names and any video extension. An action is taken
    from the first of these that has it: the shorter the file, the less of it is decoded in vain. Spans of events and
    videos come from the annotation JSON, or from the ids for actions that it does not have.

    The list called val gets the split ``test``, because published figures are measured on it. Actions whose videos are
    gone are listed as missing.
    """

    key_name: ClassVar[str | None] = "stages.sources.finegym:FineGym"
    makes: ClassVar[Table] = CLIPS

    root: Path
    """Folder that contains ``annotations`` and the folders of videos."""
    categories: Literal["gym99", "gym288"] = "gym99"
    """Which classes: 99, each with enough clips, or 288 with a long tail."""
    train_list: Literal["v1.0", "v1.1"] = "v1.0"
    """Version of the training list: v1.0, to which most published figures and ``gym_hrnet.pkl`` belong, or v1.1, which
    adds 29 % more clips to it. There is one list for testing."""
    val_share: float = Field(0.0, ge=0, lt=1)
    """Share of the training clips that get the split ``val``, so that settings can be chosen without using the test
    clips. All clips of a video stay together."""
    skeletons: Path | None = None
    """File with the skeletons of trimmed actions, by id, such as ``gym_hrnet.pkl``. They do not fit spans of longer
    files, so ``events`` and ``videos`` are not used with it."""

    def clips(self) -> pa.Table:
        """The clips of both lists. Raises ManifestError with file and line if one of them is missing or malformed."""
        annotations = self._annotations()
        names = annotations.class_names(self.categories)
        train = annotations.actions(f"{self.categories}_train_element_{self.train_list}.txt", names)
        test = annotations.actions(f"{self.categories}_val_element.txt", names)
        validating = self._validating(train)
        actions = [*train, *test]
        places = self._places(actions)
        sources = {path: fingerprint(path) for path in {path for path, _ in places}}
        columns: dict[str, list[Any]] = {
            "clip_id": [action.name for action in actions],
            "source": [sources[path] for path, _ in places],
            "start": [span and span.start for _, span in places],
            "end": [span and span.end for _, span in places],
            "path": [path for path, _ in places],
            "label": [*train.values(), *test.values()],
            "split": ["val" if action.video in validating else "train" for action in train] + ["test"] * len(test),
            "group": [action.video for action in actions],
        }
        if self.skeletons is not None:
            file = address_of(self.skeletons)
            columns["skeleton_path"] = [file] * len(actions)
            columns["skeleton_source"] = [skeleton_fingerprint(file)] * len(actions)
            columns["skeleton_entry"] = columns["clip_id"]
        return clips_table(columns)

    def published(self) -> Mapping[str, int]:
        """The lengths of the published lists; of the training list only if all of it trains."""
        train, test = PUBLISHED[self.categories, self.train_list]
        return {"test": test} if self.val_share else {"train": train, "test": test}

    def check(self, clips: pa.Table, upstream: Mapping[str, Stage]) -> Iterator[Problem]:
        """Videos that are gone, spans that are not exact, and folders that skeletons do not fit."""
        there = clips.filter(pc.not_equal(clips["source"], "missing"))
        if len(there) < len(clips):
            gone = sorted(set(clips["group"].to_pylist()) - set(there["group"].to_pylist()))
            of_videos = f"; nothing is there of {count(len(gone), 'video')}, such as {gone[0]}" if gone else ""
            yield Problem(
                f"{len(clips) - len(there):,} of {len(clips):,} actions are not in {self._folders()}{of_videos}: "
                "download what is still on the web; the others count as failed clips, up to max_failed",
                fatal=False,
            )
        known = {*TRIMMED, *LONGER}
        for entry in sorted(entry.name for entry in os.scandir(self._root()) if entry.is_dir()):
            if entry not in known and entry.lower() in known:
                yield Problem(f"{self._root() / entry} is not searched: call it {entry.lower()}", fatal=False)
        spans = [Action.named(name) for name in clips.filter(pc.is_valid(clips["start"]))["clip_id"].to_pylist()]
        times = self._annotations().times() if spans else None
        vague = [action.name for action in spans if action and times and times.spans(action) is None]
        if vague:
            yield Problem(
                f"the times of {count(len(vague), 'action')}, such as {vague[0]}, are taken from the ids, which give "
                f"whole seconds: put {TIMES[0]} into {self._annotations().folder} for exact ones",
                fatal=False,
            )
        idle = [folder for folder in LONGER if self.skeletons and (self._root() / folder).is_dir()]
        if idle:
            yield Problem(
                f"skeletons: they belong to trimmed actions, so {' and '.join(idle)} in {self._root()} are not used",
                fatal=False,
            )

    def _root(self) -> Path:
        return folder_here(self.root, "root", "FineGYM's files")

    def _annotations(self) -> Annotations:
        folder = self._root() / "annotations"
        if not folder.is_dir():
            raise ManifestError(
                f"root: there is no folder {folder}: it should contain the published lists and categories of FineGYM"
            )
        return Annotations(folder)

    def _folders(self) -> str:
        """The folders that are searched, for people."""
        wanted = [*TRIMMED, *(() if self.skeletons else LONGER)]
        *most, last = [folder for folder in wanted if (self._root() / folder).is_dir()] or wanted
        return f"{', '.join(most)}{' or ' if most else ''}{last} of {self._root()}"

    def _validating(self, actions: Iterable[Action]) -> set[str]:
        """The videos whose clips validate: in the order of a hash, all that bring their number closer to the share."""
        sizes = Counter(action.video for action in actions)
        left = self.val_share * sizes.total()
        videos = set()
        for video in sorted(sizes, key=lambda video: hashlib.blake2b(video.encode(), digest_size=8).digest()):
            if left >= sizes[video] / 2:
                videos.add(video)
                left -= sizes[video]
        return videos

    def _places(self, actions: Iterable[Action]) -> list[tuple[str, Span | None]]:
        """The file of each action, and its span in it unless the file is trimmed or missing."""
        root = self._root()
        trimmed: dict[str, str] = {}
        for folder in reversed(TRIMMED):
            trimmed |= _by_name(root / folder, folders=folder == "frames")
        events, videos = ({} if self.skeletons else _by_name(root / folder) for folder in LONGER)
        times = self._annotations().times() if events or videos else None
        places: list[tuple[str, Span | None]] = []
        for action in actions:
            if action.name in trimmed:
                places.append((trimmed[action.name], None))
            elif action.event in events or action.video in videos:
                spans = (times and times.spans(action)) or action.spans
                in_event = action.event in events
                path = events[action.event] if in_event else videos[action.video]
                places.append((path, spans.event if in_event else spans.video))
            else:
                places.append((str(root / (f"videos/{action.video}" if videos else f"actions/{action.name}")), None))
        return places


def _by_name(folder: Path, folders: bool = False) -> dict[str, str]:
    """Paths of the videos in a folder by their names without extension, or of the folders in it by their names.

    Of several videos with the same name, the one with the alphabetically first extension counts.
    """
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name, reverse=True)
    except OSError:
        return {}
    if folders:
        return {entry.name: entry.path for entry in entries if entry.is_dir()}
    split = [(*os.path.splitext(entry.name), entry.path) for entry in entries]  # noqa: PTH122, for 30,000 files
    return {name: path for name, extension, path in split if extension.lower() in VIDEO_EXTENSIONS}
