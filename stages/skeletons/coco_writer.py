"""Writes skeletons as COCO's JSON, in the form for videos (CocoVID), which coco.py reads."""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.files import replacing
from recognizer.skeletons import Layout
from stages.skeletons.exported_clips import ExportedClip


def write_coco(path: Path, clips: Iterable[ExportedClip], class_names: Sequence[str]) -> int:
    """Write the clips to one file, without keeping their keypoints in memory. Returns the number of clips.

    Images are called ``CLIP/000012.jpg`` after their place among the clip's frames, which is their ``frame_id`` too.
    Keypoints have COCO's codes (2: seen, 0: missing), and ``keypoint_scores`` their scores. A person has one
    ``track_id`` in all frames. There is a category for each layout, always called person. ``videos`` have the label and
    the split.
    """
    videos: list[dict[str, Any]] = []
    images: list[str] = []
    layouts: dict[Layout, int] = {}
    written = people = 0
    with replacing(path) as file:
        file.write(b'{"info": {"description": "Skeletons"}, "licenses": [], "annotations": [')
        for clip in clips:
            size = {"width": clip.width, "height": clip.height}
            video = {"id": len(videos) + 1, "name": clip.clip_id, "label": clip.label, "split": clip.split}
            videos.append(video | size)
            category = layouts.setdefault(clip.layout, len(layouts) + 1)
            for frame, keypoints_MR3 in enumerate(clip.keypoints_MTR3.swapaxes(0, 1)):
                image = {"id": len(images) + 1, "file_name": f"{clip.clip_id}/{frame:06}.jpg", "frame_id": frame}
                images.append(json.dumps(image | {"video_id": len(videos)} | size))
                for person, keypoints in enumerate(keypoints_MR3):
                    if (keypoints[:, 2] > 0).any():
                        ids = {"image_id": len(images), "video_id": len(videos), "category_id": category}
                        ids |= {"id": written + 1, "track_id": people + person + 1}
                        file.write((",\n" if written else "\n").encode() + _json(ids | _described(keypoints)))
                        written += 1
            people += len(clip.keypoints_MTR3)
        file.write(b'],\n"images": [\n' + ",\n".join(images).encode() + b'],\n"videos": ' + _json(videos))
        file.write(b',\n"categories": ' + _json(list(_categories(layouts))) + b"}\n")
    return len(videos)


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _described(keypoints: np.ndarray) -> dict[str, Any]:
    """What an annotation says of keypoints R,3."""
    keypoints = keypoints.astype(float)
    seen = keypoints[:, 2] > 0
    places = keypoints[seen, :2]
    low, extent = places.min(0), np.ptp(places, axis=0)
    coded = np.where(seen[:, None], keypoints, 0).round(3)
    coded[seen, 2] = 2
    return {
        "keypoints": coded.ravel().tolist(),
        "keypoint_scores": np.where(seen, keypoints[:, 2], 0).round(4).tolist(),
        "num_keypoints": int(seen.sum()),
        "bbox": [round(number, 3) for number in (*low.tolist(), *extent.tolist())],
        "area": round(float(extent.prod()), 3),
        "iscrowd": 0,
        "score": round(float(keypoints[seen, 2].mean()), 4),
    }


def _categories(layouts: dict[Layout, int]) -> Iterator[dict[str, Any]]:
    for layout, number in layouts.items():
        limbs = [[a + 1, b + 1] for a, b in layout.edges]  # COCO counts joints from 1
        person = {"id": number, "name": "person", "supercategory": "person"}
        yield person | {"keypoints": list(layout.joints), "skeleton": limbs}
