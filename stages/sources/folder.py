"""Folders named after their classes: ``root/CLASS/video``, or ``root/SPLIT/CLASS/video``."""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import pyarrow as pa
from pydantic import Field, PrivateAttr, model_validator

from pipeline.errors import ManifestError
from pipeline.stage import Problem, Source, Stage, Table
from pipeline.texts import count
from stages.sources.drawn_splits import drawn_splits, refuse_large_shares, untested
from stages.sources.files import Skipped, Video, find_videos
from stages.sources.listing import Listing
from stages.sources.name_patterns import refuse_bad_fields
from stages.sources.recordings import divided, groups, ungrouped
from stages.sources.rows import clips_table
from stages.sources.skeleton_lookup import find_skeletons
from stages.tables import CLIPS, SPLITS

LONG_NAMES = {"training": "train", "validation": "val", "valid": "val", "testing": "test"}
SPLIT_OF = dict(zip(SPLITS, SPLITS, strict=True)) | LONG_NAMES
"""The split of a folder by its name, in lower case."""


class Folder(Source):
    """The class of each video is the name of its folder.

    Folders of ``root`` named train, val and test (or training, validation and testing) are splits that contain the
    class folders. Without them, the clips of each class are assigned to splits by a hash of their ids, in the same way
    every time. Where there are no video files at all, folders of images are the clips.
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
    named after their videos: a pickle of pyskl or MMAction2, or COCO's JSON. Either may be a URL."""
    group: str | None = None
    """Which clips are of one recording and share a split: a file name without its extension, with ``{group}`` in place
    of the recording's name and other fields in place of what varies. ``{group}_part{number}`` keeps ``match_1_part1``
    and ``match_1_part2`` together; ``{group}_{label}_{number}`` keeps ``anna_run_1`` and ``anna_jump_1`` together,
    since ``{label}`` is the class. A pattern with ``/`` is a path below root: ``{label}/{group}/{clip}``."""
    corrections: Path | None = None
    """A list of more clips for training, as ``listing`` reads it: what the page of ``pipeline recognize`` exports."""
    _drawn: bool = PrivateAttr(False)
    """Whether the folders do not give the splits."""
    _lacking: Problem | None = PrivateAttr(None)
    """Videos that have no skeletons where ``skeletons`` are."""

    @model_validator(mode="after")
    def _something_to_train_on(self) -> "Folder":
        refuse_large_shares(self.test_share, self.val_share)
        if self.group is not None:
            refuse_bad_fields(self.group, "group")
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
        names = [video.name for video in videos]
        recordings = None if self.group is None else groups(names, labels, self.group)
        splits = (
            [SPLIT_OF[folders[0].lower()] for folders in parts]
            if depth == 2
            else drawn_splits(names, labels, self.test_share, self.val_share, recordings)
        )
        skeletons = find_skeletons(names, self.skeletons)
        if self.skeletons is not None:
            self._lacking = _without(names, skeletons.paths, self.skeletons)
        self._drawn = depth == 1
        table = clips_table(
            {
                "clip_id": [video.name for video in videos],
                "source": [video.source for video in videos],
                "path": [video.path for video in videos],
                "skeleton_path": skeletons.paths,
                "skeleton_source": skeletons.sources,
                "skeleton_entry": skeletons.entries,
                "label": labels,
                "split": splits,
                "group": recordings,
            }
        )
        return table if self.corrections is None else pa.concat_tables([table, self._corrected(self.corrections)])

    def _corrected(self, file: Path) -> pa.Table:
        """The clips of the list, all for training: what was corrected does not judge the network that learns it."""
        listed = Listing(list=file, test_share=0, val_share=0).clips()
        train = pa.array(["train"] * listed.num_rows, pa.string())
        return listed.set_column(listed.column_names.index("split"), listed.schema.field("split"), train)

    def check(self, clips: pa.Table, upstream: Mapping[str, Stage]) -> Iterator[Problem]:
        if self._drawn or "test" in clips["split"].to_pylist():
            yield from untested(clips, self.test_share)
        if self._lacking:
            yield self._lacking
        yield from ungrouped(clips, self.group)
        yield from divided(clips, "set index.group to a pattern such as '{group}_part{number}'")

    def skipped(self) -> list[Skipped]:
        """What is not listed below ``root``, and why."""
        return self._found()[2]

    def _found(self) -> tuple[list[Video], int, list[Skipped]]:
        """The videos in class folders, the depth of these folders below ``root`` (1 or 2), and what is skipped."""
        root = self.root.expanduser()
        videos, skipped = find_videos(root, "folders named after their classes, with videos in them")
        folders = {video.name.partition("/")[0] for video in videos if "/" in video.name}
        depth = 2 if _are_splits(root, videos, folders) else 1
        outside = [video for video in videos if video.name.count("/") < depth]
        skipped += [Skipped(video.name, "not in a class folder") for video in outside]
        return [video for video in videos if video.name.count("/") >= depth], depth, sorted(skipped)


def _without(videos: Sequence[str], paths: Sequence[str | None], place: Path) -> Problem | None:
    """The videos that have no skeletons. That none has any is a mistake: all of them would be estimated."""
    lacking = [video for video, path in zip(videos, paths, strict=True) if path is None]
    if not lacking:
        return None
    text = f"{len(lacking):,} of {count(len(videos), 'video')} have none in {place}, such as {lacking[0]}"
    remedy = "theirs are estimated, if a stage does that"
    return Problem(f"skeletons: {text}: {remedy}", fatal=len(lacking) == len(videos))


def _are_splits(root: Path, videos: list[Video], folders: set[str]) -> bool:
    """Whether the folders are splits with class folders in them.

    Raises ManifestError if only some of them are splits: all of them would be taken for classes.
    """
    if folders and {folder.lower() for folder in folders} <= SPLIT_OF.keys():
        return folders.issubset(SPLITS) or any(video.name.count("/") > 1 for video in videos)
    strangers = sorted(folder for folder in folders if folder.lower() not in SPLIT_OF)
    if not strangers or not any(name.lower() in SPLITS for name in folders):
        return False
    remedies = []
    for name in strangers:
        near = [split for split in SPLITS if name.lower().startswith(split)]
        near = near or difflib.get_close_matches(name.lower(), SPLITS, n=1, cutoff=0.7)
        remedies.append(f"rename {name} to {near[0]}" if near else f"move {name} away")
    raise ManifestError(
        f"root: {root} mixes folders named after splits ({', '.join(SPLITS)}) with others: {', '.join(remedies)}"
    )
