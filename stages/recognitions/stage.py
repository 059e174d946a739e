"""Recognitions: what was predicted for the windows of videos, as segments, for people and other programs."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import pyarrow as pa
from pydantic import Field, field_validator

from pipeline.errors import StageError
from pipeline.stage import WholeStage, unkeyed
from pipeline.stage_inputs import StageContext, TableFiles, VariantInputs
from pipeline.texts import count
from stages.places import is_file
from stages.tables import FRAMES, PEOPLE_PREDICTIONS, PREDICTIONS, RECOGNITIONS, SKELETONS

if TYPE_CHECKING:
    from stages.recognitions.segments import Merging


class Recognitions(WholeStage):
    """Merges the windows of each video into segments of time with a label.

    A video none of whose windows could be predicted has a row with an error and no segments.
    """

    key_name: ClassVar[str | None] = "stages.recognitions:Recognitions"
    version: ClassVar[int] = 5
    makes = RECOGNITIONS
    takes = (FRAMES,)
    may_take = (PREDICTIONS, PEOPLE_PREDICTIONS, SKELETONS)

    min_score: float = Field(0.0, ge=0, le=1)
    """Where the likeliest class has a lower probability, the label is none."""
    min_seconds: float = Field(0.0, ge=0)
    """Shorter segments become a part of the one before or after."""
    smoothing: float = Field(0.0, ge=0)
    """Standard deviation, in seconds, of a Gaussian mean of the probabilities over time. 0: they stay as they are."""
    root: Path = unkeyed(...)
    """The folder that was searched, or the video."""
    out: Path | None = unkeyed(None)
    """Folder for the files; null: the run's folder."""
    previews: bool = unkeyed(False)
    """Whether small MP4 files are written of videos that browsers do not play, for the page."""
    exports: tuple[str, ...] = unkeyed(())
    """Formats for other programs: vtt, srt, eaf, labelstudio, coco, jsonl. Those that are there are written again."""
    model: str = unkeyed("action-pipeline")
    """What the model is called in them."""

    @field_validator("exports")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        from stages.recognitions.exports import asked_for

        return tuple(asked_for(names))

    def run(self, variants: list[VariantInputs], context: StageContext) -> pa.Table:
        from stages.recognitions.thumbnails import add_thumbnails
        from stages.recognitions.videos import FILM_COLUMNS, by_file, films_of, numbered, predicted, recognized

        (variant,) = variants
        clips = variant.clips.select(["clip_id", "path", "start", "end"]).to_pylist()
        if not clips:
            raise StageError("the index lists no videos")
        inputs = variant.inputs
        predictions = inputs.get(PEOPLE_PREDICTIONS.name) or inputs.get(PREDICTIONS.name)
        if predictions is None:
            raise StageError("nothing was predicted: name predict or predict_people in the needs of recognitions")
        frames = inputs[FRAMES.name]
        films = films_of(row for path in frames.paths for row in frames.read_one(path, [*FILM_COLUMNS]).to_pylist())
        seen, class_names = predicted(row for partition in predictions for row in partition.to_pylist())
        errors = {clip_id: error for table in inputs.values() for clip_id, error in errors_in(table)}
        files = by_file(clips, self.folder)
        people = {file: numbered(own, seen) for file, own in files}
        videos = [recognized(file, own, people[file], errors, films, class_names, self.merging) for file, own in files]
        add_thumbnails(videos, dict(files), people, frames, inputs.get(SKELETONS.name))
        return pa.Table.from_pylist(videos, schema=self.makes.schema)

    @property
    def folder(self) -> Path:
        """The folder that was searched."""
        return self.root.parent if is_file(self.root) else self.root

    @property
    def merging(self) -> "Merging":
        """How windows are merged."""
        from stages.recognitions.segments import Merging

        return Merging(self.min_score, self.min_seconds, self.smoothing)

    def export(self, table: pa.Table, folder: Path, run_folder: Path) -> str:
        """Write the tables, and what else is asked for."""
        from stages.recognitions.exported_files import Places
        from stages.recognitions.exports import write_exports
        from stages.recognitions.page import write_page
        from stages.recognitions.previews import write_previews
        from stages.recognitions.tables import write_tables

        places, videos = Places(self.folder, self.out or folder), table.to_pylist()
        write_tables(videos, places.out)
        lines = write_previews(videos, places) if self.previews else []
        page = write_page(videos, places, self.root.absolute().name)
        lines += write_exports(self.exports, videos, places, self.model)
        counts = [len(video["segments"]) for video in videos if video["segments"]]
        said = f"{count(sum(counts), 'segment')} in {count(len(counts), 'video')}: {page}"
        return "\n".join([*lines, said])


def errors_in(table: TableFiles) -> Iterator[tuple[str, str]]:
    """The clips that failed, each with its error."""
    rows = table.read(["clip_id", "error"])
    yield from ((row["clip_id"], row["error"]) for row in rows.filter(rows["error"].is_valid()).to_pylist())
