"""Annotations with COCO's keys."""

import json
from pathlib import Path

from stages.recognitions.coco_videos import write_coco_videos
from stages.recognitions.exported_files import Places

NAMES = ["sit", "fall\n"]


def test_ids_resolve_and_spans_are_seconds(tmp_path: Path, video_row) -> None:
    rows = [
        video_row("a.mp4", [(0, 1.23456, None, "sit", 0.98765), (2, 3, None, None, 0.1)], NAMES),
        video_row("broken.mp4", [], NAMES) | {"windows": []},
        video_row("sub/b.mp4", [(0, 1, 1, NAMES[1], 0.5), (0, 1, 2, "sit", 0.5)], NAMES),
    ]
    write_coco_videos(rows, Places(tmp_path, tmp_path), "runs/mine")
    content = json.loads((tmp_path / "coco_videos.json").read_text())
    assert content["info"]["model"] == "runs/mine"
    assert content["videos"] == [
        {"id": 1, "name": "a.mp4", "width": 640, "height": 360},
        {"id": 2, "name": "sub/b.mp4", "width": 640, "height": 360},
    ]
    assert content["categories"] == [{"id": 1, "name": "sit"}, {"id": 2, "name": NAMES[1]}]
    keys = ("id", "video_id", "category_id", "track_id", "segment", "score")
    assert [tuple(one[key] for key in keys) for one in content["annotations"]] == [
        (1, 1, 1, None, [0, 1.235], 0.9877),
        (2, 2, 2, 1, [0, 1], 0.5),
        (3, 2, 1, 2, [0, 1], 0.5),
    ]
