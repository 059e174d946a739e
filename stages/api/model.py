"""A trained model in this process: one video, or one array of frames, at a time."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pyarrow as pa

from pipeline.errors import ClipError, ManifestError
from pipeline.graph import Graph, build_graph
from pipeline.stage import MapStage, Row
from stages.api.in_memory import StagesInMemory
from stages.api.notebook import html_table, percent, time_line
from stages.api.recognition import as_frame
from stages.commands.model_folder import model_folder
from stages.commands.recognition import Windows, recognition_manifest
from stages.places import is_file
from stages.recognitions.stage import Recognitions
from stages.sources.files import Video
from stages.sources.videos import Videos
from stages.tables import FRAMES, PEOPLE_PREDICTIONS, PREDICTIONS
from stages.video.stage import Decode

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from recognizer.model import Recognizer
    from stages.video.with_arrays import ArrayReader

ARRAY = "frames"
"""What an array of frames is called in place of a file."""


@dataclass(frozen=True, eq=False)
class Recognition:
    """What was recognized in one video. It shows itself in notebooks, with a time line."""

    file: str
    """The video's name."""
    probabilities: dict[str, float]
    """Of each class, the mean over all windows (and persons)."""
    segments: "pd.DataFrame"
    """file, start, end, label, score, person; times in seconds, persons from 1, missing where all were seen at once."""
    windows: "pd.DataFrame" = field(repr=False)
    """file, start, end, person, and the probability of each class: what the segments are made of."""
    failures: list[tuple[str, str]] = field(default_factory=list)
    """(window, error) of windows that failed, while others did not."""

    @property
    def label(self) -> str:
        """The likeliest class of the whole video."""
        return max(self.probabilities, key=self.probabilities.__getitem__)

    @property
    def score(self) -> float:
        """Its probability."""
        return self.probabilities[self.label]

    def _repr_html_(self) -> str:
        known = self.segments.astype(object).where(self.segments.notna(), None)
        rows = cast(list[Row], known.to_dict("records"))
        times = [[f"{row['start']:.1f} s", f"{row['end']:.1f} s", row["label"], percent(row["score"])] for row in rows]
        return time_line(rows, list(self.probabilities)) + html_table(["start", "end", "label", "score"], times)


class Model:
    """A trained model with the stages that lead from a video to what it predicts: decoding, pose estimation, crops and
    views as in its training. What they load stays in memory for the next video."""

    def __init__(self, folder: Path, settings: Sequence[str] = ()) -> None:
        """folder: with config.json, model.safetensors and recognition.json. settings: see ``load_model``."""
        self.folder = folder.absolute()  # it is read when it is needed, then perhaps from another current folder
        self._settings = tuple(settings)
        self._stages = StagesInMemory()

    def __repr__(self) -> str:
        return f"Model({str(self.folder)!r})"

    @cached_property
    def recognizer(self) -> "Recognizer":
        """The network alone, on the CPU and in evaluation mode."""
        from recognizer.model import Recognizer

        return Recognizer.from_pretrained(self.folder)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes that it knows."""
        return tuple(self.recognizer.config.class_names)

    def recognize(
        self,
        video: "str | Path | np.ndarray",
        fps: float | None = None,
        *,
        window: float | None = None,
        stride: float | None = None,
        min_score: float = 0.0,
        min_seconds: float | None = None,
        smoothing: float = 0.0,
        per_person: bool = False,
    ) -> Recognition:
        """Recognize one video, as ``pipeline recognize`` does, but without files and store.

        video: a file or its URL, or its frames as uint8 T,H,W,3 in RGB. fps: frames per second of such an array.
        window, stride, min_score, min_seconds, smoothing, per_person: see ``recognize`` in ``pipeline``.

        Raises ManifestError if the request is wrong, StageError if the model does not load, and ClipError if no window
        of the video could be recognized.
        """
        given = {"min_score": min_score, "min_seconds": min_seconds, "smoothing": smoothing}
        frames = None
        if isinstance(video, str | Path):
            path = Path(video)
            if not is_file(path):
                raise ManifestError(f"{path}: is no file (pipeline.recognize takes folders)")
        else:
            path, frames = Path(ARRAY), _reader(video, fps)
        manifest = recognition_manifest(
            path, str(self.folder), None, Windows(window, stride), given, self._settings, per_person
        )
        return self._recognized(build_graph(manifest), frames)

    def _recognized(self, graph: Graph, frames: "ArrayReader | None") -> Recognition:
        from stages.recognitions.tables import segments_table, windows_table
        from stages.recognitions.videos import FILM_COLUMNS, Film, by_file, films_of, numbered, predicted, recognized

        stages = [node.stage for node in graph.nodes.values()]
        (source,) = (stage for stage in stages if isinstance(stage, Videos))
        (end,) = (stage for stage in stages if isinstance(stage, Recognitions))
        instead, clips = {}, source.clips() if frames is None else _windows(source, frames)
        if frames is not None:
            instead[FRAMES.name] = lambda stage, part: _decoded(stage, part, frames)
        predictions: list[Row] = []
        films: dict[str, Film] = {}
        errors: dict[str, str] = {}
        for made in self._stages.tables(graph, clips, instead):
            tables = [made[name] for name in (PREDICTIONS.name, PEOPLE_PREDICTIONS.name) if name in made]
            predictions += tables[0].to_pylist()
            films |= films_of(made[FRAMES.name].select([*FILM_COLUMNS]).to_pylist())
            for table in made.values():
                found = zip(table["clip_id"].to_pylist(), table["error"].to_pylist(), strict=True)
                errors |= {clip_id: error for clip_id, error in found if error is not None}
        seen, names = predicted(predictions)
        listed = clips.to_pylist()
        if frames is not None:  # an array that is one clip has no file that says how long it is
            until = max(round(frames.until, 3), 0.001)  # in milliseconds, as of files
            listed = [clip | {"end": clip["end"] or until} for clip in listed]
        ((file, own),) = by_file(listed, end.folder)
        row = recognized(file, own, numbered(own, seen), errors, films, names, end.merging)
        if not row["windows"]:
            raise ClipError(f"{file}: {row['error'] or 'nobody was found'}")
        probabilities = dict(zip(names, _means(row["windows"]), strict=True))
        segments, windows = as_frame(segments_table([row])), as_frame(windows_table([row]))
        return Recognition(file, probabilities, segments, windows, sorted(errors.items()))


def load_model(model: str | Path, settings: Sequence[str] = ()) -> Model:
    """A trained model that recognizes videos and arrays of frames, one at a time, in this process.

    model: a run or its folder, a variant's folder, a model's folder, a URL of one of these folders, or a model of the
    Hugging Face hub. settings: of the stages before it, like ``pose.device=cpu``. Raises ManifestError if there is no
    such model.
    """
    return Model(model_folder(str(model)), settings)


def _reader(frames: "np.ndarray", fps: float | None) -> "ArrayReader":
    from stages.video.with_arrays import ArrayReader

    if getattr(frames, "ndim", 0) != 4 or frames.shape[-1] != 3 or not frames.size or str(frames.dtype) != "uint8":
        found = f"{getattr(frames, 'dtype', type(frames).__name__)} {getattr(frames, 'shape', '')}"
        raise ManifestError(f"frames must be an array of uint8 with the shape T,H,W,3 (RGB), not {found}")
    if fps is None or not 0 < fps < float("inf"):
        raise ManifestError(f"fps: give the frames per second of the array, not {fps}")
    return ArrayReader(frames, fps)


def _windows(source: Videos, frames: "ArrayReader") -> pa.Table:
    return source.windows_of([Video(ARRAY, ARRAY, "array")], [(0.0, frames.until)])


def _decoded(stage: MapStage, clips: pa.Table, frames: "ArrayReader") -> pa.Table:
    """What the decode stage makes of a video, of an array."""
    from stages.video.passes import Encoding
    from stages.video.with_arrays import read_array

    decode = cast(Decode, stage)
    spans = list(zip(clips["start"].to_pylist(), clips["end"].to_pylist(), strict=True))
    rows = read_array(frames, spans, decode.frames, Encoding(decode.short_side, decode.quality))
    ids = clips["clip_id"].to_pylist()
    found = [{"clip_id": clip_id} | row for clip_id, row in zip(ids, rows, strict=True)]
    return pa.Table.from_pylist(found, schema=FRAMES.schema)


def _means(windows: Sequence[Row]) -> list[float]:
    """The mean probability of each class."""
    import numpy as np

    means: list[float] = np.mean([window["probabilities"] for window in windows], 0).tolist()
    return means
