"""Annotations of videos in the style of COCO, for programs that train and evaluate temporal localization.

No standard exists for spans of time. The keys are those of COCO for videos (``videos``, ``categories``, and
``annotations`` with ``video_id``, ``category_id`` and ``track_id``, as in CocoVID and TAO), and a span is ActivityNet's
``segment``: start and end in seconds.
"""

import json
from collections.abc import Sequence
from typing import Any

from pipeline.stage import Row
from stages.recognitions.exported_files import Places, labeled, rounded, was_read, write_changed

NAME = "coco_videos.json"


def write_coco_videos(videos: Sequence[Row], places: Places, model: str) -> None:
    """Write ``coco_videos.json``. Ids count from 1; a ``track_id`` is a person's number in the video, or null."""
    names: list[str] = next((video["class_names"] for video in videos), [])
    category_of = {name: number for number, name in enumerate(names, 1)}
    annotations: list[dict[str, Any]] = []
    listed: list[dict[str, Any]] = []
    for video in filter(was_read, videos):
        size = {"width": video["width"], "height": video["height"]}
        listed.append({"id": len(listed) + 1, "name": video["file"]} | size)
        for segment in labeled(video["segments"]):
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "video_id": len(listed),
                    "category_id": category_of[segment["label"]],
                    "track_id": segment["person"],
                    "segment": [round(segment["start"], 3), round(segment["end"], 3)],
                    "score": rounded(segment["score"]),
                }
            )
    content = {
        "info": {"description": "Recognized actions; segments are seconds", "model": model},
        "videos": listed,
        "categories": [{"id": number, "name": name} for name, number in category_of.items()],
        "annotations": annotations,
    }
    write_changed(places.out / NAME, json.dumps(content, indent=1, allow_nan=False).encode())
