"""COCO's keypoints as JSON: the images and annotations of many clips, or a list of detection results."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.errors import ClipError
from recognizer.skeletons import COCO17, HALPE26, LAYOUTS, Layout
from stages.skeletons.frame_names import Place, places
from stages.skeletons.json_file import objects, shown, whole_number
from stages.skeletons.people import Sighting
from stages.skeletons.recording import Recording, joints

_OCCLUDED = 0.5
"""Score of a joint that an annotator marked although it is not visible (v = 1)."""
_IDENTITIES = ("track_id", "instance_id", "idx")
"""Fields that say which person of a clip somebody is: of PoseTrack, of CocoVID, of AlphaPose."""


def coco_clips(content: Mapping[str, Any], file: str) -> dict[str, Recording]:
    """The clips of ``{"images": [...], "annotations": [...], "categories": [...]}``.

    An image's clip and frame are its ``video_id`` and ``frame_id`` (as CocoVID has them; clips are called as in
    ``videos``), or are in its ``file_name``. Raises ClipError that says which image or annotation is wrong.
    """
    images = objects(content.get("images"), file, "images")
    annotations = [one for one in objects(content.get("annotations"), file, "annotations") if _is_person(one)]
    at = _places_of(images, content, file)
    layouts = _layouts(objects(content.get("categories"), file, "categories") if "categories" in content else [], file)
    codes = _are_visibility_codes(annotations)
    sightings: defaultdict[str, list[Sighting]] = defaultdict(list)
    kinds: dict[str, Layout] = {}
    for number, annotation in enumerate(annotations):
        place = f"annotation {number} (id {shown(annotation.get('id'))})"
        where = at.get(_id(annotation.get("image_id"), file, place))
        if where is None:
            raise ClipError(f"{file}, {place}: there is no image {shown(annotation['image_id'])}")
        layout, keypoints = _keypoints(annotation, layouts, codes, file, place)
        if kinds.setdefault(where.clip, layout) is not layout:
            raise ClipError(f"{file}, {place}: {where.clip} has people with {kinds[where.clip].name} and {layout.name}")
        sightings[where.clip].append(Sighting(where.number, keypoints, identity(annotation)))
    sizes: defaultdict[str, set[tuple[float, float]]] = defaultdict(set)
    frames: defaultdict[str, set[int]] = defaultdict(set)
    for image in images:
        clip, frame = at[image["id"]]
        if frame in frames[clip]:
            raise ClipError(f"{file}: two images are frame {frame} of {clip or 'the clip'}")
        frames[clip].add(frame)
        if size := _size(image):
            sizes[clip].add(size)
    if _have_frame_ids(images):
        for numbers in frames.values():
            if min(numbers) > 1:
                numbers.add(0)  # CocoVID counts from 0, whichever frames are listed
    return {
        clip: Recording(kinds.get(clip, COCO17), sightings[clip], frames[clip], frozenset(sizes[clip]))
        for clip in frames
    }


def result_clips(content: Sequence[Any], file: str) -> dict[str, Recording]:
    """The clips of ``[{"image_id": ..., "keypoints": [...], "score": ...}]``: results for COCO, or AlphaPose's.

    Image ids are numbers of frames of one clip, or names of images. Only frames with people are listed. Raises
    ClipError that says which result is wrong.
    """
    results = [one for one in objects(content, file, "results") if _is_person(one)]
    ids = [_id(one.get("image_id"), file, f"result {number}") for number, one in enumerate(results)]
    named = places(dict.fromkeys(one for one in ids if isinstance(one, str)), file)
    codes = _are_visibility_codes(results)
    sightings: defaultdict[str, list[Sighting]] = defaultdict(list)
    kinds: dict[str, Layout] = {}
    for number, (result, image) in enumerate(zip(results, ids, strict=True)):
        where = named[image] if isinstance(image, str) else Place("", image)
        layout, keypoints = _keypoints(result, {}, codes, file, f"result {number}")
        if kinds.setdefault(where.clip, layout) is not layout:
            raise ClipError(f"{file}, result {number}: another number of joints than in the results before it")
        sightings[where.clip].append(Sighting(where.number, keypoints, identity(result)))
    return {clip: Recording(kinds[clip], seen) for clip, seen in sightings.items()}


def identity(person: Mapping[str, Any]) -> int | str | None:
    """Which person of the clip somebody is, if a field says so.

    AlphaPose writes ``[0.0]`` or lists of numbers where nobody was tracked, and others -1.
    """
    for name in _IDENTITIES:
        value = person.get(name)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, str) or (type(value) is int and value >= 0):
            return value
    return None


def _places_of(images: Sequence[Mapping[str, Any]], content: Mapping[str, Any], file: str) -> dict[int | str, Place]:
    """The place of each image by its id."""
    ids = [_id(image.get("id"), file, f"image {number}") for number, image in enumerate(images)]
    if len(set(ids)) < len(ids):
        raise ClipError(f"{file}: two images have the same id")
    if _have_frame_ids(images):
        videos = objects(content.get("videos"), file, "videos") if "videos" in content else []
        names = {str(video.get("id")): video.get("name", video.get("file_name")) for video in videos}
        found = {}
        for one, image in zip(ids, images, strict=True):
            video = str(image["video_id"])
            number = whole_number(image["frame_id"], file, f"image {one}, frame_id")
            found[one] = Place(str(names.get(video) or video), number)
        return found
    for one, image in zip(ids, images, strict=True):
        if not isinstance(image.get("file_name"), str):
            raise ClipError(f"{file}, image {one}: file_name is missing: it says which clip and frame an image is")
    by_name = places(dict.fromkeys(image["file_name"] for image in images), file)
    return {one: by_name[image["file_name"]] for one, image in zip(ids, images, strict=True)}


def _have_frame_ids(images: Sequence[Mapping[str, Any]]) -> bool:
    return all("video_id" in image and "frame_id" in image for image in images)


def _layouts(categories: Sequence[Mapping[str, Any]], file: str) -> dict[str, Layout]:
    """The layout of each category that names its keypoints.

    Raises ClipError if the names of a category are not those of a layout, in its order.
    """
    known = {layout.joints: layout for layout in LAYOUTS.values()}
    found = {}
    for category in categories:
        names = category.get("keypoints")
        if not isinstance(names, list) or not names:
            continue
        joint_names = tuple(str(name).lower().replace(" ", "_") for name in names)
        if joint_names not in known:
            raise ClipError(
                f"{file}: the {len(names)} keypoints of category {shown(category.get('name'))} "
                f"({', '.join(joint_names[:4])}, ...) are not the joints of a layout, in its order"
            )
        found[str(category.get("id"))] = known[joint_names]
    return found


def _keypoints(
    person: Mapping[str, Any], layouts: Mapping[str, Layout], codes: bool, file: str, place: str
) -> tuple[Layout, np.ndarray]:
    """Layout and keypoints R,3 of a person."""
    keypoints = joints(person.get("keypoints"), file, f"{place}, keypoints")
    layout = layouts.get(str(person.get("category_id"))) or _LAYOUTS.get(len(keypoints))
    if layout is None or len(keypoints) < layout.count:
        expected = f"{layout.count} ({layout.name})" if layout else " or ".join(map(str, _LAYOUTS))
        raise ClipError(f"{file}, {place}: expected {expected} joints, not {len(keypoints)}")
    keypoints = keypoints[: layout.count]
    scores = person.get("keypoint_scores")
    if isinstance(scores, np.ndarray) and len(scores) == layout.count:
        keypoints[:, 2] = np.where(keypoints[:, 2] > 0, np.nan_to_num(scores), 0)
    elif codes:
        keypoints[:, 2] = np.where(keypoints[:, 2] == 1, _OCCLUDED, keypoints[:, 2])
    keypoints[:, 2] = keypoints[:, 2].clip(0, 1)
    return layout, keypoints


_LAYOUTS = {17: COCO17, 26: HALPE26, 133: COCO17, 136: HALPE26}
"""Layouts by number of joints: of 133 (COCO-WholeBody) and 136 (Halpe) the first ones, those of the body."""


def _are_visibility_codes(people: Sequence[Mapping[str, Any]]) -> bool:
    """Whether the third numbers are COCO's codes (0: not labeled, 1: occluded, 2: visible) rather than scores."""
    lists = (one.get("keypoints") for one in people)
    found = {score for one in lists if isinstance(one, np.ndarray) for score in one[2::3].tolist()}
    return found <= {0, 1, 2} and 2 in found


def _is_person(annotation: Mapping[str, Any]) -> bool:
    """Not the region of a crowd, and not a box without joints, as COCO has for most people."""
    if annotation.get("iscrowd") == 1 or annotation.get("num_keypoints") == 0:
        return False
    return "keypoints" in annotation or "bbox" not in annotation


def _size(image: Mapping[str, Any]) -> tuple[float, float] | None:
    edges = [edge for edge in (image.get("width"), image.get("height")) if isinstance(edge, int | float)]
    return (float(edges[0]), float(edges[1])) if len(edges) == 2 and all(0 < edge < 1e6 for edge in edges) else None


def _id(value: object, file: str, place: str) -> int | str:
    return value if isinstance(value, str) else whole_number(value, file, f"{place}, id of the image")
