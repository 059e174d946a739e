"""Writes skeletons as COCO's JSON, in the form for videos (CocoVID), which coco.py reads."""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from recognizer.skeletons import Layout


class CocoClip(NamedTuple):
    """The skeletons of a clip."""

    name: str
    keypoints_MTR3: np.ndarray
    """x and y in pixels, score."""
    layout: Layout
    size: tuple[float, float]
    """Width and height of the frames in pixels."""
    numbers: Sequence[int] | None = None
    """Which frames of the video the T are; None: all of them."""


def write_coco(clips: Iterable[CocoClip], out: Path) -> None:
    """Write the clips to one file, without keeping their keypoints in memory.

    An image is called ``CLIP/000012.jpg`` after its number in the video; its ``frame_id`` counts the frames that are
    written. Keypoints have COCO's codes (2: seen, 0: missing), and ``keypoint_scores`` their scores. People of one clip
    have the same ``track_id`` in all frames. There is a category for each layout, always called person.
    """
    videos: list[dict[str, Any]] = []
    images: list[str] = []
    layouts: dict[Layout, int] = {}
    annotation_id = track_id = 0
    with out.open("w", encoding="utf-8") as file:
        file.write('{"info": {"description": "Skeletons"}, "licenses": [], "annotations": [')
        for clip in clips:
            persons, frames = clip.keypoints_MTR3.shape[:2]
            width, height = (round(edge) if float(edge).is_integer() else float(edge) for edge in clip.size)
            videos.append({"id": len(videos) + 1, "name": clip.name, "width": width, "height": height})
            category_id = layouts.setdefault(clip.layout, len(layouts) + 1)
            for frame, number in enumerate(clip.numbers if clip.numbers is not None else range(frames)):
                image = {"id": len(images) + 1, "file_name": f"{clip.name}/{number:06}.jpg"}
                image |= {"width": width, "height": height, "video_id": len(videos), "frame_id": frame}
                images.append(json.dumps(image))
                for person, keypoints in enumerate(clip.keypoints_MTR3[:, frame]):
                    if (keypoints[:, 2] > 0).any():
                        ids = {"image_id": len(images), "video_id": len(videos), "category_id": category_id}
                        ids |= {"id": annotation_id + 1, "track_id": track_id + person + 1}
                        file.write((",\n" if annotation_id else "\n") + json.dumps(ids | _described(keypoints)))
                        annotation_id += 1
            track_id += persons
        file.write('],\n"images": [\n' + ",\n".join(images) + '],\n"videos": ' + json.dumps(videos))
        file.write(',\n"categories": ' + json.dumps(list(_categories(layouts))) + "}\n")


def _described(keypoints: np.ndarray) -> dict[str, Any]:
    """What an annotation says of keypoints R,3."""
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
