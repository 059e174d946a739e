"""The clips of a whole skeleton set in one ``.npz`` file (stages/skeletons/skeleton_set.py says what is in it)."""

from pathlib import Path
from typing import ClassVar

import numpy as np
import pyarrow as pa
from pydantic import model_validator

from pipeline.errors import ClipError, ManifestError
from pipeline.stage import Source, Table
from stages.local_files import local_file
from stages.places import address_of
from stages.skeletons.skeleton_set import clip_names, read_arrays
from stages.sources.files import skeleton_fingerprint
from stages.sources.rows import clips_table
from stages.tables import CLIPS

Choice = str | dict[str, list[bool | int | str] | str]
"""Which clips: see ``SkeletonSet``."""


class SkeletonSet(Source):
    """Clips with their classes and skeletons from one file, split as its authors did.

    Clips are chosen by the name of an array that marks them (``train: train``), or by values of arrays that have one
    for each clip (``train: {subject: [1, 3, 5]}``; ``clip`` is its number from 0). An array may in turn list the
    values, or mark them: ``{subject: train_subjects}``, ``{clip: test_numbers}``, ``{label: easy_classes}``. Of arrays
    with a row per split, ``fold`` takes one row.
    """

    key_name: ClassVar[str | None] = "stages.sources.skeleton_set:SkeletonSet"
    makes: ClassVar[Table] = CLIPS

    file: Path
    """The set: an ``.npz`` file, or its URL."""
    only: Choice | None = None
    """The clips that are used. Null: all."""
    train: Choice | None = None
    """The clips for training. Null: those that are neither for testing nor for validation."""
    test: Choice | None = None
    """The clips for testing. Null: those that are neither for training nor for validation."""
    val: Choice | None = None
    """The clips for validation, out of those for training."""
    fold: int | None = None
    """The row, from 0, of arrays that have a row for each of several splits."""
    group: str | None = None
    """The array that says which clips belong together (``subject``), for validation clips that ``train`` draws."""

    @model_validator(mode="after")
    def _split(self) -> "SkeletonSet":
        if self.train is None and self.test is None:
            raise ValueError("train or test must say which clips are for training or testing")
        return self

    def clips(self) -> pa.Table:
        """One clip per sequence that is used. Raises ManifestError if an array is missing or does not fit."""
        with local_file(self.file, "file") as path:
            return self._clips(path)

    def _clips(self, path: Path) -> pa.Table:
        if not path.is_file():
            raise ManifestError(f"file: there is no file {path}")
        try:
            arrays = read_arrays(path, lambda name: name != "keypoints")
        except ClipError as error:
            raise ManifestError(f"file: {error}") from error
        labels = self._array(arrays, "label")
        classes = self._array(arrays, "class_names")
        if labels.ndim != 1 or labels.dtype.kind not in "iu" or not len(labels):
            raise ManifestError(f"file: label of {path} is not a list of whole numbers")
        if labels.min() < 0 or labels.max() >= len(classes):
            raise ManifestError(f"file: label of {path} is not between 0 and {len(classes) - 1}: the classes' numbers")
        if len(self._array(arrays, "offsets")) != len(labels) + 1:
            raise ManifestError(
                f"file: {path} has {len(arrays['offsets'])} offsets for {len(labels)} clips, not one more"
            )
        names = clip_names(arrays, len(labels))
        if len(names) != len(labels):
            raise ManifestError(f"file: {path} has {len(names)} names for {len(labels)} clips")
        arrays["clip"] = np.arange(len(labels))
        splits = self._splits(arrays, len(labels))
        used = np.ones(len(labels), bool) if self.only is None else self._chosen("only", arrays, len(labels))
        groups = None if self.group is None else self._per_clip("group", self.group, arrays, len(labels))
        numbers = np.flatnonzero(used).tolist()
        file = address_of(self.file)
        source = skeleton_fingerprint(file)
        return clips_table(
            {
                "clip_id": [names[i] for i in numbers],
                "source": [source] * len(numbers),
                "path": [file] * len(numbers),
                "skeleton_path": [file] * len(numbers),
                "skeleton_source": [source] * len(numbers),
                "skeleton_entry": [names[i] for i in numbers],
                "label": [str(classes[labels[i]]) for i in numbers],
                "split": [splits[i] for i in numbers],
                "group": None if groups is None else [str(groups[i]) for i in numbers],
            }
        )

    def _splits(self, arrays: dict[str, np.ndarray], count: int) -> list[str | None]:
        none = np.zeros(count, bool)
        train, test, val = (
            none if getattr(self, name) is None else self._chosen(name, arrays, count)
            for name in ("train", "test", "val")
        )
        if self.train is None:
            train = ~test
        if self.test is None:
            test = ~train & ~val
        if (test & (train | val)).any():
            both = int((test & (train | val)).sum())
            raise ManifestError(f"test: {both} clips are also for training or validation")
        return ["test" if test[i] else "val" if val[i] else "train" if train[i] else None for i in range(count)]

    def _chosen(self, parameter: str, arrays: dict[str, np.ndarray], count: int) -> np.ndarray:
        """Which clips a parameter chooses, as a mask. Raises ManifestError if it chooses none."""
        choice: Choice = getattr(self, parameter)
        if isinstance(choice, str):
            mask = self._row(parameter, choice, arrays)
            if mask.dtype != bool or mask.shape != (count,):
                raise ManifestError(
                    f"{parameter}: {choice} does not mark each of the {count} clips as true or false; for an array "
                    f"that lists values, write {{subject: {choice}}} or {{clip: {choice}}}"
                )
        else:
            mask = np.ones(count, bool)
            for name, wanted in choice.items():
                found = self._per_clip(parameter, name, arrays, count)
                values = self._row(parameter, wanted, arrays) if isinstance(wanted, str) else np.array(wanted)
                if isinstance(wanted, str) and values.dtype == bool and found.dtype != bool:
                    if found.dtype.kind in "iu" and found.max() >= len(values):
                        raise ManifestError(
                            f"{parameter}: {wanted} marks {len(values)} values of {name}, from 0 to "
                            f"{len(values) - 1}, but there is {found.max()}: list the values instead"
                        )
                    values = np.flatnonzero(values)
                mask &= np.isin(found.astype(str), values.astype(str))
        if not mask.any():
            raise ManifestError(f"{parameter}: no clip of {self.file} is chosen")
        return mask

    def _per_clip(self, parameter: str, name: str, arrays: dict[str, np.ndarray], count: int) -> np.ndarray:
        found = self._array(arrays, name, parameter)
        if found.shape != (count,):
            raise ManifestError(f"{parameter}: {name} of {self.file} has no value for each of the {count} clips")
        return found

    def _row(self, parameter: str, name: str, arrays: dict[str, np.ndarray]) -> np.ndarray:
        """An array, or its row ``fold`` if it has rows."""
        found = self._array(arrays, name, parameter)
        if found.ndim < 2:
            return found
        if self.fold is None or not 0 <= self.fold < len(found):
            given = "" if self.fold is None else f", not {self.fold}"
            raise ManifestError(f"fold: {name} has several rows: give one of 0 to {len(found) - 1}{given}")
        return found[self.fold]

    def _array(self, arrays: dict[str, np.ndarray], name: str, parameter: str = "file") -> np.ndarray:
        if name not in arrays:
            raise ManifestError(f"{parameter}: {self.file} has no array {name!r}; it has {', '.join(arrays)}")
        return arrays[name]
