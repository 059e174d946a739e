"""PennAction (Zhang, Zhu and Derpanis 2013) as downloaded: ``labels/NNNN.mat`` and ``frames/NNNN/``."""

from collections import Counter
from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import ClassVar

import pyarrow as pa
from pydantic import Field

from pipeline.errors import ManifestError
from pipeline.stage import Source, Table
from stages.leftovers import is_leftover
from stages.places import fingerprint, folder_here
from stages.sources.rows import clips_table
from stages.tables import CLIPS


class PennAction(Source):
    """One clip per label file, with its class, skeletons and official split."""

    key_name: ClassVar[str | None] = "stages.sources.pennaction:PennAction"
    makes: ClassVar[Table] = CLIPS

    root: Path
    """Folder that contains ``labels`` and, if frames are used, ``frames``."""
    val_share: float = Field(0.0, ge=0, lt=1)
    """Share of each class's training clips that get the split ``val``, so that settings can be chosen without using the
    test clips. Clips with consecutive numbers stay together, because they often come from the same video; the official
    split keeps them together as well."""

    def clips(self) -> pa.Table:
        """The 1258 training and 1068 test clips of the data set, or as many of them as exist.

        Raises ManifestError that names the file if one is not a label file.
        """
        root = folder_here(self.root, "root", "PennAction's files")
        files = sorted(file for file in (root / "labels").glob("*.mat") if not is_leftover(file.name))
        if not files:
            raise ManifestError(
                f"root: no label files in {root / 'labels'}, which should contain PennAction's 0001.mat to 2326.mat"
            )
        labels, tests = zip(*map(_label, files), strict=True)
        splits = self._splits(labels, tests)
        frames = [root / "frames" / file.stem for file in files]
        return clips_table(
            {
                "clip_id": [file.stem for file in files],
                "source": [fingerprint(folder) for folder in frames],
                "path": [str(folder) for folder in frames],
                "skeleton_path": [str(file) for file in files],
                "skeleton_source": [fingerprint(file) for file in files],
                "label": labels,
                "split": splits,
            }
        )

    def published(self) -> Mapping[str, int]:
        return {"train": 1258, "test": 1068}

    def _splits(self, labels: tuple[str, ...], tests: tuple[bool, ...]) -> list[str]:
        """Consecutive clips of a class become ``val`` together if that brings the class closer to its share."""
        seen, validating = Counter[str](), Counter[str]()
        splits: list[str] = []
        for (label, test), run in groupby(zip(labels, tests, strict=True)):
            count = len(list(run))
            seen[label] += count * (not test)
            validates = not test and self.val_share * seen[label] - validating[label] >= count / 2
            validating[label] += count * validates
            splits += ["test" if test else "val" if validates else "train"] * count
        return splits


def _label(file: Path) -> tuple[str, bool]:
    """Class name of a label file, and whether its clip is for testing. Raises ManifestError for any other file."""
    from scipy.io import loadmat

    try:
        labels = loadmat(file, variable_names=("action", "train"))
        return str(labels["action"].item()), int(labels["train"].item()) < 0
    except Exception as error:
        raise ManifestError(f"root: {file} is not a label file of PennAction: {error}") from error
