"""NTU RGB+D 60 and 120 (Shahroudy et al. 2016, Liu et al. 2020) as the archives unpack."""

import os
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal, NamedTuple

import pyarrow as pa
from pydantic import Field

from pipeline.errors import ManifestError
from pipeline.stage import Problem, Source, Stage, Table
from stages.leftovers import is_leftover
from stages.places import address_of, fingerprint, folder_here
from stages.sources.drawn_splits import drawn_splits
from stages.sources.files import VIDEO_EXTENSIONS, Skipped, readable, skeleton_fingerprint
from stages.sources.ntu_actions import ACTIONS
from stages.sources.rows import clips_table
from stages.tables import CLIPS

TRAINING_SUBJECTS = frozenset([
    1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38,
    # added by NTU RGB+D 120:
    45, 46, 47, 49, 50, 52, 53, 54, 55, 56, 57, 58, 59, 70, 74, 78, 80, 81, 82, 83, 84, 85, 86, 89, 91, 92, 93, 94, 95,
    97, 98, 100, 103,
])  # fmt: skip
TESTING_CAMERA = 1

_NAME = re.compile(r"(S(\d{3})C(\d{3})P(\d{3})R(\d{3})A(\d{3}))(_rgb)?", re.ASCII)
_MISSING_LIST = re.compile(r".*samples_with_missing_skeletons.*\.txt")


class Sample(NamedTuple):
    """What a file's name says: ``SsssCcccPpppRrrrAaaa``."""

    name: str
    setup: int
    camera: int
    performer: int
    replication: int
    action: int

    @classmethod
    def named(cls, stem: str) -> "Sample | None":
        """The sample of a file's name without its extension; None if it is not named like one."""
        match = _NAME.fullmatch(stem)
        return match and cls(match[1], *map(int, match.groups()[1:6]))


class Protocol(NamedTuple):
    """Which samples belong to a benchmark, and which of them are for training."""

    setups: int
    actions: int
    trains: Callable[[Sample], bool]
    published: Mapping[str, int]
    """Samples by split, before those without skeletons are left out."""
    listed_as_missing: int
    """How many of them the published lists name as lacking skeletons."""
    group: Callable[[Sample], str] = lambda sample: f"P{sample.performer:03}"
    """What stays together where validation clips are cut from the training clips."""

    def holds(self, sample: Sample) -> bool:
        return 1 <= sample.setup <= self.setups and 1 <= sample.action <= self.actions


PROTOCOLS = {
    "ntu60_xsub": Protocol(
        17, 60, lambda sample: sample.performer in TRAINING_SUBJECTS, {"train": 40_320, "test": 16_560}, 302
    ),
    "ntu60_xview": Protocol(
        17, 60, lambda sample: sample.camera != TESTING_CAMERA, {"train": 37_920, "test": 18_960}, 302
    ),
    "ntu120_xsub": Protocol(
        32, 120, lambda sample: sample.performer in TRAINING_SUBJECTS, {"train": 63_360, "test": 51_120}, 535
    ),
    "ntu120_xset": Protocol(
        32,
        120,
        lambda sample: sample.setup % 2 == 0,
        {"train": 54_720, "test": 59_760},
        535,
        lambda sample: f"S{sample.setup:03}",
    ),
}


class _Files(NamedTuple):
    """What lies below the root."""

    videos: dict[str, str]
    """Path by the sample's name."""
    skeletons: dict[str, str]
    lists: list[str]
    """Of samples without skeletons."""
    archives: list[str]
    skipped: list[Skipped]


class NTU(Source):
    """One clip per sample that has a video, a skeleton file or both, wherever they lie below ``root``.

    Samples that the authors list as lacking skeletons are left out, as in published figures, if their list lies there
    too: ``NTU_RGBD_samples_with_missing_skeletons.txt``, or ``NTU_RGBD120_...``.
    """

    key_name: ClassVar[str | None] = "stages.sources.ntu:NTU"
    makes: ClassVar[Table] = CLIPS

    root: Path
    """Folder that is searched, with all its subfolders, for ``S001C001P001R001A001_rgb.avi`` (or another extension) and
    ``S001C001P001R001A001.skeleton``."""
    protocol: Literal["ntu60_xsub", "ntu60_xview", "ntu120_xsub", "ntu120_xset"]
    """Data set and split: by performers (xsub), cameras (xview) or setups (xset)."""
    skeletons: Literal["sensor", "none"] | Path = "sensor"
    """sensor: the ``.skeleton`` files, if there are any; none: estimate them from the videos; or a file with those of
    all samples, such as ``ntu60_hrnet.pkl``."""
    leave_out: bool = True
    """Leave out the samples on the authors' lists; false lists them too."""
    val_share: float = Field(0.0, ge=0, lt=1)
    """Share of the training clips that get the split ``val``, so that settings can be chosen without using the test
    clips: whole performers, or whole setups for ntu120_xset, so that the share is met roughly."""

    def clips(self) -> pa.Table:
        """Raises ManifestError if ``root`` holds no sample of the protocol."""
        samples = self._samples()
        names = [sample.name for sample in samples]
        videos = [self._files.videos.get(name) or str(self._folder / f"{name}_rgb.avi") for name in names]
        skeletons = self._skeletons(names)
        marks = {path: skeleton_fingerprint(path) for path in {*skeletons} if path is not None}  # one file may hold all
        splits = self._splits(samples)
        protocol = PROTOCOLS[self.protocol]
        return clips_table(
            {
                "clip_id": names,
                "source": [fingerprint(path) for path in videos],
                "path": videos,
                "skeleton_path": skeletons,
                "skeleton_source": [path and marks[path] for path in skeletons],
                "skeleton_entry": names if isinstance(self.skeletons, Path) else [None] * len(names),
                "label": [ACTIONS[sample.action - 1] for sample in samples],
                "split": splits,
                "group": [
                    None if split == "test" else protocol.group(sample)
                    for sample, split in zip(samples, splits, strict=True)
                ],
            }
        )

    def published(self) -> Mapping[str, int]:
        """The official counts, less the samples that are left out."""
        protocol = PROTOCOLS[self.protocol]
        out = Counter("train" if protocol.trains(sample) else "test" for sample in self._left_out)
        return {split: number - out[split] for split, number in protocol.published.items()}

    def skipped(self) -> list[Skipped]:
        """Second files of a sample, folders that cannot be read, and samples that are left out."""
        there = self._files.videos.keys() | self._files.skeletons.keys()
        left_out = [sample.name for sample in self._left_out if sample.name in there]
        out = [Skipped(name, "the authors list it as lacking skeletons") for name in left_out]
        return sorted([*self._files.skipped, *out])

    def check(self, clips: pa.Table, upstream: Mapping[str, Stage]) -> Iterator[Problem]:
        """Whether the lists of samples without skeletons are there."""
        expected = PROTOCOLS[self.protocol].listed_as_missing
        if self.leave_out and len(self._left_out) < expected:
            yield Problem(
                f"root: {len(self._left_out)} of the {expected} samples that the authors list as lacking skeletons are "
                f"left out; put their lists, NTU_RGBD_samples_with_missing_skeletons.txt and NTU_RGBD120_..., into "
                f"{self._folder}, or such clips fail one by one",
                fatal=False,
            )

    @property
    def _folder(self) -> Path:
        return folder_here(self.root, "root", "NTU RGB+D's files")

    @cached_property
    def _files(self) -> _Files:
        """Read once, since a plan needs it several times."""
        if not self._folder.is_dir():
            raise ManifestError(f"root: there is no folder {self._folder}: it should contain NTU RGB+D's files")
        return _find(self._folder)

    @cached_property
    def _left_out(self) -> frozenset[Sample]:
        """The samples of the protocol that are on the authors' lists."""
        if not self.leave_out:
            return frozenset()
        lines = (line for path in self._files.lists for line in Path(path).read_text(errors="replace").splitlines())
        listed = filter(None, (Sample.named(line.strip()) for line in lines))
        return frozenset(filter(PROTOCOLS[self.protocol].holds, listed))

    def _samples(self) -> list[Sample]:
        found = self._files
        samples = [Sample.named(name) for name in sorted({*found.videos, *found.skeletons})]
        if not samples:
            archives = f"; it has {found.archives[0]}: unpack the archives there" if found.archives else ""
            raise ManifestError(
                f"root: no file below {self._folder} is named like S001C001P001R001A001_rgb.avi or "
                f"S001C001P001R001A001.skeleton{archives}"
            )
        protocol = PROTOCOLS[self.protocol]
        kept = [one for one in samples if one and protocol.holds(one) and one not in self._left_out]
        if not kept:
            raise ManifestError(
                f"protocol: none of the {len(samples):,} samples below {self._folder} belongs to {self.protocol}, "
                f"which has setups 1 to {protocol.setups} and actions 1 to {protocol.actions}"
            )
        return kept

    def _skeletons(self, names: list[str]) -> list[str | None]:
        """The skeleton file of each sample; None for all if they are to be estimated."""
        if isinstance(self.skeletons, Path):
            path = address_of(self.skeletons)
            if fingerprint(path) == "missing":
                raise ManifestError(f"skeletons: there is no file {path} (or give sensor, or none)")
            return [path] * len(names)
        if self.skeletons == "none" or self._files.skeletons.keys().isdisjoint(names):
            return [None] * len(names)
        return [self._files.skeletons.get(name) or str(self._folder / f"{name}.skeleton") for name in names]

    def _splits(self, samples: list[Sample]) -> list[str]:
        protocol = PROTOCOLS[self.protocol]
        training = [sample for sample in samples if protocol.trains(sample)]
        names, labels = [sample.name for sample in training], [ACTIONS[sample.action - 1] for sample in training]
        groups = [protocol.group(sample) for sample in training]
        drawn = dict(zip(names, drawn_splits(names, labels, 0, self.val_share, groups), strict=True))
        return [drawn.get(sample.name, "test") for sample in samples]


def _find(root: Path) -> _Files:
    """Everything of the data set below ``root``. Of several files of a sample, the first path by depth and name counts.

    Folders named like samples, which hold depth maps, are not entered: there are millions of files in them.
    """
    found = _Files({}, {}, [], [], [])
    seen = set()
    folders = [str(root)]
    for folder in folders:  # grows: folders of one depth come before those below them
        try:
            status = os.stat(folder)  # noqa: PTH116, for hundreds of thousands of files, Path objects are slow
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            found.skipped.append(Skipped(readable(folder), f"the folder cannot be read: {error.strerror}"))
            continue
        if (status.st_dev, status.st_ino) in seen:  # a link to a folder that has been read
            continue
        seen.add((status.st_dev, status.st_ino))
        for entry in entries:
            stem, suffix = os.path.splitext(entry.name)  # noqa: PTH122, as above
            sample = _NAME.fullmatch(stem)
            if sample is None and _is_folder(entry) and not is_leftover(entry.name):
                folders.append(entry.path)
            elif sample and suffix.lower() in VIDEO_EXTENSIONS:
                _add(found.videos, sample[1], entry.path, found.skipped)
            elif sample and suffix.lower() == ".skeleton" and not sample[7]:
                _add(found.skeletons, sample[1], entry.path, found.skipped)
            elif _MISSING_LIST.fullmatch(entry.name):
                found.lists.append(entry.path)
            elif suffix.lower() == ".zip":
                found.archives.append(entry.name)
    return found


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # such as a link to itself
        return False


def _add(files: dict[str, str], name: str, path: str, skipped: list[Skipped]) -> None:
    if name in files:
        skipped.append(Skipped(readable(path), "a second file of the same sample"))
    else:
        files[name] = readable(path)
