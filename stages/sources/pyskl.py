"""Pickles of pyskl and MMAction2 as a data set of their own: ``ntu60_hrnet.pkl``, ``gym_hrnet.pkl``, one's own."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
from pydantic import Field, model_validator

from pipeline.errors import ClipError, ManifestError
from pipeline.stage import KnownFile, Source, Table
from stages.local_files import keyed_file, local_file
from stages.places import address_of, fingerprint
from stages.skeletons.pyskl import PysklFile, open_pyskl
from stages.sources.class_names import names_in
from stages.sources.drawn_splits import drawn_splits, refuse_large_shares
from stages.sources.files import Skipped, find_videos, skeleton_fingerprint
from stages.sources.rows import clips_table
from stages.sources.skeleton_entries import matched
from stages.tables import CLIPS


class Pyskl(Source):
    """One clip per annotation of a pickle, with its class, skeletons and split.

    A pickle may have several pairs of splits, such as those of a protocol by subjects and of one by cameras. Clips of
    none of the chosen ones are left out. If it is a list of annotations alone, splits are drawn as for ``folder``.
    """

    key_name: ClassVar[str | None] = "stages.sources.pyskl:Pyskl"
    makes: ClassVar[Table] = CLIPS

    file: Path
    """The pickle, or its URL."""
    train: str | None = None
    """The file's name of the split that is trained on, such as xsub_train."""
    test: str | None = None
    """The file's name of the split that is tested on, such as xsub_val."""
    val: str | None = None
    """The file's name of the split for choosing settings, if there is one."""
    test_share: float = Field(0.2, ge=0, lt=1)
    """Share of each class that is kept for testing, if the file has no splits."""
    val_share: float = Field(0.0, ge=0, lt=1)
    """Share of each class that is kept for validation, if the file has no splits."""
    labels: dict[int, str] | Path | None = None
    """Class names: a mapping from the file's numbers, or a text file with a number and a name per line, or with a name
    per line, in the order of the numbers from 0. Null: the numbers are the names."""
    root: Path | None = None
    """Folder of the videos, which have the names of the clips, in any depth of folders. Null: skeletons alone."""

    @model_validator(mode="after")
    def _something_to_train_on(self) -> "Pyskl":
        refuse_large_shares(self.test_share, self.val_share)
        return self

    def files(self) -> tuple[Path | KnownFile, ...]:
        """The table of labels, if it is a file."""
        return (keyed_file(self.labels, "labels"),) if isinstance(self.labels, Path) else ()

    def clips(self) -> pa.Table:
        """One clip per annotation in the chosen splits.

        Raises ManifestError if the file is no such pickle, has no such split, or a label has no name.
        """
        file, state = address_of(self.file), skeleton_fingerprint(address_of(self.file))
        read = self._read()
        splits = self._splits(read)
        ids = [name for name in read.annotations if name in splits]
        videos = self._videos(ids)
        return clips_table(
            {
                "clip_id": ids,
                "source": [fingerprint(videos[name]) if name in videos else "missing" for name in ids],
                "path": [videos.get(name, file) for name in ids],
                "skeleton_path": [file] * len(ids),
                "skeleton_source": [state] * len(ids),
                "skeleton_entry": ids,
                "label": self._labels([read.annotations[name] for name in ids], ids),
                "split": [splits[name] for name in ids],
            }
        )

    def skipped(self) -> list[Skipped]:
        """Clips of the chosen splits that have no annotation."""
        read = self._read()
        without = [name for name in self._splits(read) if name not in read.annotations]
        return [Skipped(name, "in a split, without annotation") for name in sorted(without)]

    def _read(self) -> PysklFile:
        try:
            with local_file(self.file, "file") as file:
                return open_pyskl(file)
        except ClipError as error:
            raise ManifestError(f"file: {error}") from error

    def _splits(self, read: PysklFile) -> dict[str, str]:
        """The split of each clip that has one, with or without annotation."""
        asked = {"train": self.train, "test": self.test, "val": self.val}
        chosen = {split: name for split, name in asked.items() if name is not None}
        if not read.splits and not chosen:
            names = list(read.annotations)
            labels = self._labels(list(read.annotations.values()), names)
            return dict(zip(names, drawn_splits(names, labels, self.test_share, self.val_share), strict=True))
        if not read.splits:
            raise ManifestError(
                f"{next(iter(chosen))}: {self.file} is a list of clips without splits: "
                "leave train, test and val out, and they are drawn"
            )
        known = ", ".join(read.splits)
        if not chosen:
            raise ManifestError(f"train: choose one of the splits of {self.file}: {known}")
        splits: dict[str, str] = {}
        for split, name in chosen.items():
            if name not in read.splits:
                raise ManifestError(f"{split}: {self.file} has no split called '{name}': it has {known}")
            for clip in read.splits[name]:
                if splits.setdefault(clip, split) != split:
                    raise ManifestError(f"{split}: {clip} is in {name} and in {chosen[splits[clip]]}")
        return splits

    def _labels(self, annotations: Sequence[Mapping[str, Any]], ids: Sequence[str]) -> list[str]:
        names = self._names()
        labels = []
        for annotation, clip in zip(annotations, ids, strict=True):
            number = annotation.get("label")
            if type(number) is not int:
                raise ManifestError(f"file: {clip} in {self.file} has no label that is a number")
            if names is not None and number not in names:
                raise ManifestError(f"labels: no name for {number}, the label of {clip}; there are {len(names)} names")
            labels.append(str(number) if names is None else names[number])
        return labels

    def _names(self) -> Mapping[int, str] | None:
        """Class names by number."""
        if not isinstance(self.labels, Path):
            return self.labels
        with local_file(self.labels, "labels") as file:
            names = names_in(file, "labels")
        return names if isinstance(names, dict) else dict(enumerate(names))

    def _videos(self, ids: Sequence[str]) -> dict[str, str]:
        """The video of each clip that has one below ``root``."""
        if self.root is None:
            return {}
        videos, _ = find_videos(self.root.expanduser(), "the videos of the clips, with their names")
        of_video = matched([video.name for video in videos], set(ids))
        return {name: video.path for name, video in zip(of_video, videos, strict=True) if name is not None}
