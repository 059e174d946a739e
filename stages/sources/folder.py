"""Folders named after their classes: ``root/CLASS/video``, or ``root/SPLIT/CLASS/video``."""

import difflib
import hashlib
from collections import defaultdict
from pathlib import Path
from typing import ClassVar

import pyarrow as pa
from pydantic import Field, model_validator

from pipeline.errors import ManifestError
from pipeline.stage import Source, Table
from stages.sources.files import Skipped, Video, find_videos, fingerprint
from stages.sources.rows import clips_table
from stages.sources.skeleton_lookup import find_skeletons
from stages.tables import CLIPS, SPLITS


class Folder(Source):
    """The class of each video is the name of its folder.

    Folders of ``root`` named train, val and test are splits that contain the class folders. Without them, the clips of
    each class are assigned to splits by a hash of their ids, in the same way every time.
    """

    key_name: ClassVar[str | None] = "stages.sources.folder:Folder"
    makes: ClassVar[Table] = CLIPS

    root: Path
    """Folder of class folders, or of split folders that contain class folders."""
    test_share: float = Field(0.2, ge=0, lt=1)
    """Share of each class that is kept for testing, unless the folders give the splits."""
    val_share: float = Field(0.0, ge=0, lt=1)
    """Share of each class that is kept for validation, unless the folders give the splits."""
    skeletons: Path | None = None
    """Folder of skeleton files: ``CLASS/name.npz`` (the video's path below ``root``) or ``name.npz``, or with another
    format's extension, or folders ``CLASS/name`` of OpenPose's files. Or one file with the skeletons of many clips,
    named after their videos: a pickle of pyskl or MMAction2, or COCO's JSON."""

    @model_validator(mode="after")
    def _something_to_train_on(self) -> "Folder":
        if self.test_share + self.val_share >= 1:
            raise ValueError("test_share and val_share leave nothing to train on: their sum must be below 1")
        return self

    def clips(self) -> pa.Table:
        """One clip per video.

        Raises ManifestError if no class folder contains a video, or if split folders are mixed with other folders.
        """
        videos, depth, _ = self._found()
        if not videos:
            raise ManifestError(
                f"root: the videos in {self.root} are not in class folders: sort them into one folder per class"
            )
        parts = [video.name.split("/") for video in videos]
        labels = [names[depth - 1] for names in parts]
        splits = [names[0] for names in parts] if depth == 2 else self._draw(videos, labels)
        skeletons, entries = find_skeletons([video.name for video in videos], self.skeletons)
        return clips_table(
            {
                "clip_id": [video.name for video in videos],
                "source": [video.source for video in videos],
                "path": [video.path for video in videos],
                "skeleton_path": [None if skeleton is None else str(skeleton) for skeleton in skeletons],
                "skeleton_source": [None if skeleton is None else fingerprint(skeleton) for skeleton in skeletons],
                "skeleton_entry": entries,
                "label": labels,
                "split": splits,
            }
        )

    def skipped(self) -> list[Skipped]:
        """What is not listed below ``root``, and why."""
        return self._found()[2]

    def _found(self) -> tuple[list[Video], int, list[Skipped]]:
        """The videos in class folders, the depth of these folders below ``root`` (1 or 2), and what is skipped."""
        root = self.root.expanduser()
        videos, skipped = find_videos(root, "folders named after their classes, with videos in them")
        folders = {video.name.partition("/")[0] for video in videos if "/" in video.name}
        _refuse_strangers(root, folders)
        depth = 2 if folders and folders.issubset(SPLITS) else 1
        outside = [video for video in videos if video.name.count("/") < depth]
        skipped += [Skipped(video.name, "not in a class folder") for video in outside]
        return [video for video in videos if video.name.count("/") >= depth], depth, sorted(skipped)

    def _draw(self, videos: list[Video], labels: list[str]) -> list[str]:
        """A split for each video: in each class, the smallest hashes are for testing, the next ones for validation."""
        classes: defaultdict[str, list[str]] = defaultdict(list)
        for video, label in zip(videos, labels, strict=True):
            classes[label].append(video.name)
        split: dict[str, str] = {}
        for names in classes.values():
            names.sort(key=lambda name: hashlib.blake2b(name.encode(), digest_size=8).digest())
            test, val = (round(share * len(names)) for share in (self.test_share, self.val_share))
            for place, name in enumerate(names):
                split[name] = "test" if place < test else "val" if place < test + val else "train"
        return [split[video.name] for video in videos]


def _refuse_strangers(root: Path, folders: set[str]) -> None:
    """Raise ManifestError if only some folders are splits: all of them would be taken for classes."""
    strangers = sorted(folders.difference(SPLITS))
    if not strangers or not any(name.lower() in SPLITS for name in folders):
        return
    remedies = []
    for name in strangers:
        near = [split for split in SPLITS if name.lower().startswith(split)]
        near = near or difflib.get_close_matches(name.lower(), SPLITS, n=1, cutoff=0.7)
        remedies.append(f"rename {name} to {near[0]}" if near else f"move {name} away")
    raise ManifestError(
        f"root: {root} mixes folders named after splits ({', '.join(SPLITS)}) with others: {', '.join(remedies)}"
    )
