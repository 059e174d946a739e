"""Label Studio: a task for each video with the recognized spans as predictions, and the labeling configuration.

Label Studio counts frames from 1, the last one included, at the rate that the configuration takes from the task
(``$fps``). Videos are named as its local storage serves them, below the folder that holds the one that was searched.
"""

import json
import math
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

import numpy as np

from pipeline.errors import ClipError
from pipeline.files import FileState, state_of
from pipeline.stage import Row
from stages.places import address_of, url_of
from stages.recognitions.exported_files import Places, labeled, plain, rounded, was_read, write_changed
from stages.video.container import USUAL_RATE, film_stream, open_container, seconds_per_frame

TASKS = "label_studio.json"
CONFIGURATION = "label_studio.xml"
VIDEO, LABELS = "video", "videoLabels"
"""Names of the tags in the configuration, to which predictions refer."""
SERVED = "/data/local-files/?d="


def write_label_studio(videos: Sequence[Row], places: Places, model: str) -> None:
    """Write ``label_studio.json``, to be imported, and ``label_studio.xml``, for the project's labeling interface."""
    tasks = [_task(video, places, model) for video in videos if was_read(video)]
    write_changed(places.out / TASKS, json.dumps(tasks, indent=1, allow_nan=False).encode())
    names: list[str] = next((video["class_names"] for video in videos), [])
    write_changed(places.out / CONFIGURATION, _configuration(names))


def _task(video: Row, places: Places, model: str) -> dict[str, Any]:
    path = places.video(video)
    rate = _rate(path)
    segments = labeled(video["segments"])
    prediction: dict[str, Any] = {
        "model_version": plain(model),
        "result": [_region(number, segment, rate) for number, segment in enumerate(segments, 1)],
    }
    if segments:
        seconds = [segment["end"] - segment["start"] for segment in segments]
        scores = [segment["score"] for segment in segments]
        prediction["score"] = rounded(float(np.average(scores, weights=np.maximum(seconds, 1e-3))))
    served = url_of(path) or SERVED + quote(f"{places.videos.absolute().name}/{video['file']}", errors="replace")
    return {"data": {"video": served, "fps": round(rate, 4), "file": video["file"]}, "predictions": [prediction]}


def _region(number: int, segment: Row, rate: float) -> dict[str, Any]:
    first, end = (math.ceil(segment[edge] * rate - 1e-3) for edge in ("start", "end"))
    region = {
        "id": f"segment{number}",
        "from_name": LABELS,
        "to_name": VIDEO,
        "type": "timelinelabels",
        "value": {
            "ranges": [{"start": first + 1, "end": max(end, first + 1)}],
            "timelinelabels": [plain(segment["label"])],
        },
        "score": rounded(segment["score"]),
    }
    return region if segment["person"] is None else region | {"meta": {"text": [f"person {segment['person']}"]}}


def _rate(path: Path) -> float:
    """Frames per second of a video; a usual number if it cannot be read, with which times are right nevertheless."""
    try:
        return _known_rate(path, state_of(path))
    except (ClipError, OSError, ValueError):
        return float(USUAL_RATE)


@lru_cache(maxsize=100_000)
def _known_rate(path: Path, _: FileState) -> float:
    """A video is opened once in each of its states, however often others arrive beside it."""
    with open_container(address_of(path)) as container:
        return 1 / seconds_per_frame(film_stream(container))


def _configuration(names: Sequence[str]) -> bytes:
    view = ElementTree.Element("View")
    ElementTree.SubElement(view, "Video", name=VIDEO, value="$video", frameRate="$fps", timelineHeight="120")
    labels = ElementTree.SubElement(view, "TimelineLabels", name=LABELS, toName=VIDEO)
    for name in names:
        ElementTree.SubElement(labels, "Label", value=plain(name))
    ElementTree.indent(view)
    return ElementTree.tostring(view, encoding="utf-8") + b"\n"
