"""The explained clips as rows of a table, each with its encoded pictures and their captions."""

from collections.abc import Callable, Sequence
from typing import Any

from pipeline.errors import StageError
from pipeline.stage import Row
from pipeline.stage_inputs import TableFiles
from recognizer.model import Recognizer
from stages.explanation.attention import attended
from stages.explanation.drawing import pictures
from stages.images import encoded


def explained_rows(model: Row, shards: TableFiles, clips: Sequence[Row], progress: Callable[..., None]) -> list[Row]:
    """One row per clip, in order. Raises StageError if model and shards do not fit together."""
    try:
        recognizer = Recognizer.deserialize(model["config"], model["weights"])
    except ValueError as error:
        raise StageError(f"the model does not load: {error}") from error
    places: dict[str, tuple[str, int]] = {}
    for path in shards.paths:
        for i, clip_id in enumerate(shards.read_one(path, ["clip_id"])["clip_id"].to_pylist()):
            places[clip_id] = (path, i)
    rows = []
    for done, clip in enumerate(clips, start=1):
        row: dict[str, Any] = {"clip_id": clip["clip_id"], "label": clip["label"], "error": None}
        shard: Row = {"error": "it has no shard: see `pipeline failures`"}
        if clip["clip_id"] in places:
            path, i = places[clip["clip_id"]]
            shard = shards.read_one(path).slice(i, 1).to_pylist()[0]
        if shard["error"] is not None:
            rows.append(row | {"error": shard["error"]})
            continue
        found = attended(recognizer, shard)
        drawn = list(pictures(found))
        rows.append(
            row
            | {
                "predicted": found.predicted,
                "probability": found.probability,
                "names": [picture.name for picture in drawn],
                "captions": [picture.caption for picture in drawn],
                "images": [encoded(picture.image, ".png") for picture in drawn],
            }
        )
        progress(done, len(clips))
    return rows
