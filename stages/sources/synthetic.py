"""The synthetic demo set as a source of clips: a first run draws its videos."""

from collections.abc import Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pyarrow as pa
from pydantic import Field

from pipeline.stage import Problem, Source, Stage, Table
from stages.places import fingerprint, folder_here
from stages.sources.rows import clips_table
from stages.tables import CLIPS

if TYPE_CHECKING:
    from stages.synthetic.writing import Order

NOT_DRAWN = "not drawn"
"""What stands for the size and time of a video that no run has drawn yet."""


class Synthetic(Source):
    """Drawn people doing twelve actions, written to ``root/SPLIT/CLASS/NNNN.mp4``.

    Some of the clips have a skeleton file ``NNNN.npz`` next to the video. Interrupted writing is resumed, and deleted
    files are written again with the same bytes.
    """

    key_name: ClassVar[str | None] = "stages.sources.synthetic:Synthetic"
    makes: ClassVar[Table] = CLIPS

    root: Path = Path("demo_videos")
    """Folder that the videos are written to, relative to the current directory."""
    clips_per_class: int = Field(16, ge=0)
    """Training clips of each class."""
    val_per_class: int = Field(0, ge=0)
    """Validation clips of each class."""
    test_per_class: int = Field(6, ge=0)
    """Test clips of each class."""
    seed: int = Field(0, ge=0)
    """A different seed gives a different data set."""
    with_skeletons: float = Field(0.5, ge=0, le=1)
    """Share of the clips of each class and split that have a ground-truth skeleton file."""
    size: int = Field(128, ge=64, le=1024, multiple_of=2)
    """Height of the frames in pixels."""

    def create(self) -> None:
        """Write what is missing.

        Raises ManifestError if ``root`` contains a data set with another seed, size or share of skeletons. The number
        of clips may differ: existing clips are reused.
        """
        from stages.synthetic.writing import claim, write_missing

        claim(folder_here(self.root, "root", "drawn videos"), self._specification())
        write_missing(self._orders())

    def clips(self) -> pa.Table:
        """All clips; those that are not drawn yet are listed as missing. Raises ManifestError as ``create`` does."""
        from stages.synthetic.writing import claim

        root = folder_here(self.root, "root", "drawn videos")
        claim(root, self._specification(), write=False)
        orders = self._orders()
        sources = [fingerprint(order.video) for order in orders]
        return clips_table(
            {
                "clip_id": [order.video.relative_to(root).as_posix() for order in orders],
                "source": [NOT_DRAWN if source == "missing" else source for source in sources],
                "path": [str(order.video) for order in orders],
                "skeleton_source": [order.skeleton and fingerprint(order.skeleton) for order in orders],
                "skeleton_path": [order.skeleton and str(order.skeleton) for order in orders],
                "label": [order.clip.action for order in orders],
                "split": [order.clip.split for order in orders],
            }
        )

    def check(self, clips: pa.Table, upstream: Mapping[str, Stage]) -> Iterator[Problem]:
        missing = clips["source"].to_pylist().count(NOT_DRAWN)
        if missing:
            text = f"{missing:,} of {len(clips):,} videos are not drawn yet: a run draws them first"
            yield Problem(text, fatal=False)

    def about(self) -> str:
        return "drawn people: its labels for real people mean nothing"

    def _specification(self) -> dict[str, object]:
        return {"seed": self.seed, "size": self.size, "with_skeletons": self.with_skeletons}

    def _orders(self) -> "list[Order]":
        """All clips of the data set, with the files they go to."""
        from stages.synthetic.actions import ACTIONS
        from stages.synthetic.clip import Clip
        from stages.synthetic.writing import Order

        root = folder_here(self.root, "root", "drawn videos")
        counts = {"train": self.clips_per_class, "val": self.val_per_class, "test": self.test_per_class}
        orders = []
        for (split, count), action in product(counts.items(), ACTIONS):
            for index in range(count):
                video = root / split / action / f"{index:04}.mp4"
                skeleton = video.with_suffix(".npz") if self.has_skeleton(index) else None
                orders.append(Order(Clip(self.seed, split, action, index, self.size), video, skeleton))
        return orders

    def has_skeleton(self, index: int) -> bool:
        """Whether clip number ``index`` of a class has a skeleton file: evenly spread for any number of clips."""
        return int((index + 1) * self.with_skeletons) > int(index * self.with_skeletons)
