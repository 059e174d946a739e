from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pytest

from stages.cache.shards import sample_of
from stages.cache.stage import Cache
from stages.tables import CLIPS, FRAMES, SHARDS, SKELETONS

HEIGHT, WIDTH, COUNT = 120, 200, 4


def dots(places: np.ndarray) -> list[bytes]:
    """Gray JPEG images with a white dot at each of T,2 relative places."""
    images = []
    for x, y in places:
        image = np.full((HEIGHT, WIDTH, 3), 60, np.uint8)
        rows, columns = np.mgrid[:HEIGHT, :WIDTH]
        image[np.hypot(columns + 0.5 - x * WIDTH, rows + 0.5 - y * HEIGHT) < 4] = 255
        images.append(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 98])[1].tobytes())
    return images


def center_of_dot(image: np.ndarray) -> np.ndarray:
    """Relative x, y of the bright pixels' center."""
    rows, columns = np.nonzero(image[..., 0] > 160)
    return np.array([columns.mean() + 0.5, rows.mean() + 0.5]) / image.shape[0]


def frames_row(images: list[bytes], **change: Any) -> dict[str, Any]:
    times = [0.1 * i for i in range(len(images))]
    row = {"clip_id": "a", "frames": images, "times": times, "height": HEIGHT, "width": WIDTH}
    return dict.fromkeys(FRAMES.schema.names) | row | change


def skeletons_row(keypoints: np.ndarray) -> dict[str, Any]:
    row = {"clip_id": "a", "keypoints": keypoints.astype(np.float16).tobytes(), "persons": len(keypoints)}
    return dict.fromkeys(SKELETONS.schema.names) | row | {"layout": "coco17", "estimator": "ground truth"}


def skeletons_at(places: np.ndarray) -> np.ndarray:
    """One person with joint 3 at T,2 places and all others missing."""
    keypoints = np.zeros((1, len(places), 17, 3))
    keypoints[0, :, 3] = np.concatenate([places, np.ones((len(places), 1))], 1)
    return keypoints


def cached(stage: Cache, **inputs: dict[str, Any]) -> dict[str, Any]:
    """The row that the stage makes of one clip, called as the engine does."""
    schemas = {"frames": FRAMES.schema, "skeletons": SKELETONS.schema}
    clips = pa.Table.from_pylist([dict.fromkeys(CLIPS.schema.names) | {"clip_id": "a"}])
    tables = {name: pa.Table.from_pylist([row], schema=schemas[name]) for name, row in inputs.items()}
    table = stage.process(clips, tables, None)
    assert table.schema == SHARDS.schema
    return table.to_pylist()[0]


@pytest.mark.parametrize("crop", ["person", "center"])
def test_skeletons_stay_on_their_pixels(crop):
    places = np.array([[0.3, 0.4], [0.35, 0.5], [0.45, 0.55], [0.5, 0.7]])
    row = cached(
        Cache(size=96, crop=crop), frames=frames_row(dots(places)), skeletons=skeletons_row(skeletons_at(places))
    )
    assert row["error"] is None
    sample = sample_of(row, "rgb+pose", persons=2)
    assert sample.frames.shape == (COUNT, 96, 96, 3) and sample.keypoints.shape == (2, COUNT, 17, 3)
    for image, joint in zip(sample.frames, sample.keypoints[0, :, 3], strict=True):
        assert joint[:2] == pytest.approx(center_of_dot(image), abs=0.006)
    assert not sample.keypoints[1].any()


def test_person_crop_shows_more_of_the_person():
    places = np.array([[0.3, 0.4], [0.4, 0.5]])
    inputs = {"frames": frames_row(dots(places)), "skeletons": skeletons_row(skeletons_at(places))}
    spans = {}
    for crop in ("person", "center"):
        found = sample_of(cached(Cache(size=64, crop=crop), **inputs), "rgb+pose", 1).keypoints[0, :, 3, 0]
        spans[crop] = found[1] - found[0]
    assert spans["person"] > 2 * spans["center"]


def test_evenly_spaced_frames_of_both():
    places = np.linspace([0.3, 0.3], [0.6, 0.6], 8)
    row = cached(
        Cache(size=64, frames=4), frames=frames_row(dots(places)), skeletons=skeletons_row(skeletons_at(places))
    )
    assert row["times"] == pytest.approx([0.1, 0.3, 0.5, 0.7])
    sample = sample_of(row, "rgb+pose", 1)
    for image, joint in zip(sample.frames, sample.keypoints[0, :, 3], strict=True):
        assert joint[:2] == pytest.approx(center_of_dot(image), abs=0.01)


def test_frames_alone():
    row = cached(Cache(size=64), frames=frames_row(dots(np.array([[0.5, 0.5]]))))
    assert row["keypoints"] is None and row["persons"] is None and row["layout"] is None
    assert center_of_dot(sample_of(row, "rgb", 1).frames[0]) == pytest.approx([0.5, 0.5], abs=0.01)


def test_skeletons_alone():
    keypoints = np.ones((2, 3, 17, 3))
    keypoints[..., :2] = np.random.default_rng(0).uniform(0.4, 0.6, (2, 3, 17, 2))
    row = cached(Cache(), skeletons=skeletons_row(keypoints))
    assert row["frames"] is None and row["times"] is None and row["persons"] == 2
    found = sample_of(row, "pose", 2).keypoints
    assert found[..., :2].min() == pytest.approx(1 / 6, abs=0.02) and found[..., :2].max() == pytest.approx(
        5 / 6, abs=0.02
    )


def test_what_does_not_fit_is_an_error_of_the_clip():
    images = dots(np.array([[0.5, 0.5], [0.5, 0.6]]))
    assert (
        "3 skeletons for 2 frames"
        in cached(Cache(), frames=frames_row(images), skeletons=skeletons_row(np.ones((1, 3, 17, 3))))["error"]
    )
    assert "not a readable JPEG" in cached(Cache(), frames=frames_row([b"noise"]))["error"]
    assert "neither" in cached(Cache())["error"]
