"""Skeletons of drawn people in random motion as a source of clips: a first run draws them."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import numpy as np
import pyarrow as pa
from pydantic import Field

from pipeline.errors import ClipError, ManifestError
from pipeline.stage import Problem, Source, Stage, Table
from stages.places import fingerprint, folder_here
from stages.skeletons.skeleton_set import read_arrays
from stages.sources.files import skeleton_fingerprint
from stages.sources.rows import clips_table
from stages.sources.synthetic import NOT_DRAWN
from stages.tables import CLIPS

if TYPE_CHECKING:
    from stages.synthetic.captured import Capture

FORMAT = 1
"""To be increased when the same specification gives other skeletons."""
FRAMES = 24
"""Frames of a clip, evenly spread over its time."""
DRAWN_AT = 1_600_000_000
"""Time of modification of the file, in seconds: the same skeletons have the same keys wherever they are drawn."""


class Motion(NamedTuple):
    """A clip of the set."""

    name: str
    label: int
    number: int
    split: str


class Captured(NamedTuple):
    """What a folder of motion capture gives."""

    captures: tuple["Capture", ...]
    digest: str
    """Of the names and contents of the files that they are from."""
    left_out: tuple[str, ...]
    """Why other files are not used."""


class RandomMotions(Source):
    """Drawn people whose classes are random motions, by one person and between two: skeletons alone, as an estimator
    would find them. What is learned on them is a start for real actions (``train.start_from``).

    All clips are in one file, a skeleton set. It is written again, with the same bytes, if it is deleted.
    """

    key_name: ClassVar[str | None] = "stages.sources.random_motions:RandomMotions"
    makes: ClassVar[Table] = CLIPS

    file: Path = Path("random_motions.npz")
    """The file that the skeletons are written to, relative to the current directory."""
    classes: int = Field(120, ge=2, le=10_000)
    """Every third one is a motion of two people."""
    clips_per_class: int = Field(100, ge=1)
    """Training clips of each class."""
    val_per_class: int = Field(5, ge=0)
    """Validation clips of each class."""
    test_per_class: int = Field(0, ge=0)
    """Test clips of each class."""
    seed: int = Field(0, ge=0)
    """A different seed gives other classes."""
    captures: Path | None = None
    """A folder of motion capture: ``.bvh`` files, or ``.txt`` and ``.json`` as DeepMimic and pybullet have them. Up to
    four seconds of a file are one more class. Null: none."""

    def create(self) -> None:
        """Draw the skeletons, if the file is not there. Raises ManifestError if it is another one."""
        path = folder_here(self.file, "file", "random motions")
        if path.exists():
            return self._compare(path)
        from stages.synthetic.estimated import draw_set

        wanted = [(motion.label, motion.split, motion.number) for motion in self._motions()]
        captures = dict(enumerate(self._captured().captures, start=self.classes))
        arrays = draw_set(self.seed, wanted, FRAMES, captures)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.stem}.{os.getpid()}.npz")
        try:
            np.savez(temporary, allow_pickle=False, specification=np.array(self._specification()), **arrays)
            os.utime(temporary, (DRAWN_AT, DRAWN_AT))
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)

    def clips(self) -> pa.Table:
        """All clips; before they are drawn they are listed as missing. Raises ManifestError as ``create`` does."""
        path = folder_here(self.file, "file", "random motions")
        if path.exists():
            self._compare(path)
        motions = self._motions()
        found = skeleton_fingerprint(path)
        source = NOT_DRAWN if found == "missing" else found
        return clips_table(
            {
                "clip_id": [motion.name for motion in motions],
                "source": [source] * len(motions),
                "path": [str(path)] * len(motions),
                "skeleton_path": [str(path)] * len(motions),
                "skeleton_source": [source] * len(motions),
                "skeleton_entry": [motion.name for motion in motions],
                "label": [f"motion {motion.label:03}" for motion in motions],
                "split": [motion.split for motion in motions],
            }
        )

    def check(self, clips: pa.Table, upstream: Mapping[str, Stage]) -> Iterator[Problem]:
        if NOT_DRAWN in clips["source"].unique().to_pylist():
            yield Problem(f"{len(clips):,} clips are not drawn yet: a run draws them first", fatal=False)
        yield from (Problem(f"captures: left out: {reason}", fatal=False) for reason in self._captured().left_out)

    def about(self) -> str:
        return "random motions of drawn people: its labels mean nothing"

    def _motions(self) -> list[Motion]:
        counts = {"train": self.clips_per_class, "val": self.val_per_class, "test": self.test_per_class}
        classes = self.classes + len(self._captured().captures)
        return [
            Motion(f"{split}/{label:03}/{number:04}", label, number, split)
            for split, count in counts.items()
            for label in range(classes)
            for number in range(count)
        ]

    def _specification(self) -> str:
        wanted: dict[str, Any] = self.model_dump(mode="json", exclude={"file", "captures"})
        if self.captures is not None:
            wanted["captures"] = self._captured().digest
        return json.dumps({"generator": "random motions", "format": FORMAT, **wanted})

    def _captured(self) -> Captured:
        if self.captures is None:
            return Captured((), "", ())
        from stages.synthetic.captured import READERS

        folder = folder_here(self.captures, "captures", "motion capture")
        if not folder.is_dir():
            raise ManifestError(f"captures: there is no folder {folder}")
        files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in READERS)
        found = _read(folder, tuple((path, fingerprint(path)) for path in files))
        if not found.captures:
            reason = found.left_out[0] if found.left_out else f"no {', '.join(READERS)} file is there"
            raise ManifestError(f"captures: {folder} has no motion of a person: {reason}")
        return found

    def _compare(self, path: Path) -> None:
        try:
            found = str(
                read_arrays(path, lambda name: name == "specification").get("specification", "no specification")
            )
        except ClipError as error:
            raise ManifestError(f"file: {error}; delete it, and it is drawn again") from error
        if found != self._specification():
            raise ManifestError(
                f"file: {path} holds something else ({found[:200]} instead of {self._specification()}): choose another "
                "file, or delete it"
            )


@lru_cache(maxsize=2)
def _read(folder: Path, files: tuple[tuple[Path, str], ...]) -> Captured:
    """files: with their states, so that files that have changed are read again."""
    from stages.synthetic.captured import read_captures

    captures: list[Capture] = []
    left_out = []
    digest = hashlib.blake2b(digest_size=16)
    for path, _ in files:
        try:
            captures += read_captures(path)
        except ClipError as error:
            left_out.append(str(error))
            continue
        digest.update(f"{path.relative_to(folder)}\0".encode("utf-8", "surrogateescape"))
        digest.update(hashlib.blake2b(path.read_bytes(), digest_size=16).digest())
    return Captured(tuple(captures), digest.hexdigest(), tuple(left_out))
