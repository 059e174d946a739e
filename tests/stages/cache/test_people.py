import numpy as np
import pytest

from pipeline.errors import ClipError
from recognizer.skeletons import layout
from stages.cache.people import CachePeople, boxes_around
from stages.images import encoded

JOINTS = layout("coco17").count
HEIGHT, WIDTH, FRAMES = 120, 240, 4


def people(*places, size=0.2):
    """Skeletons, M,T,R,3, whose joints lie on a diagonal from each place on."""
    keypoints = np.zeros((len(places), FRAMES, JOINTS, 3), np.float16)
    for m, (x, y) in enumerate(places):
        along = np.linspace(0, size, JOINTS)
        keypoints[m, ..., 0], keypoints[m, ..., 1], keypoints[m, ..., 2] = x + along / 2, y + along, 1
    return keypoints


def cached(keypoints, **parameters):
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    picture[:, WIDTH // 2 :] = 255
    frames = {"frames": [encoded(picture, ".jpg")] * FRAMES, "height": HEIGHT, "width": WIDTH}
    frames["times"] = [0.0, 1.0, 2.0, 3.0]
    skeletons = {"keypoints": keypoints.tobytes(), "persons": len(keypoints), "layout": "coco17"}
    stage = CachePeople(**{"size": 32, **parameters})
    return stage.clip({"clip_id": "a"}, {"frames": frames, "skeletons": skeletons}, None)


def keypoints_in(person):
    return np.frombuffer(person["keypoints"], np.float16).reshape(person["persons"], -1, JOINTS, 3)


def test_each_person_fills_a_crop_of_their_own():
    import cv2

    row = cached(people((0.1, 0.3), (0.8, 0.3)))
    assert [person["persons"] for person in row["people"]] == [1, 1]
    for person, bright in zip(row["people"], (False, True), strict=True):
        image = cv2.imdecode(np.frombuffer(person["frames"][0], np.uint8), cv2.IMREAD_COLOR)
        assert image.shape == (32, 32, 3) and (image.mean() > 127) == bright
        joints = keypoints_in(person)[..., :2]
        assert joints.min() > 0.1 and joints.max() < 0.9 and np.ptp(joints[..., 1]) > 0.4
    boxes = np.array(row["people"][1]["boxes"]).reshape(FRAMES, 4)
    assert boxes[0] == pytest.approx([0.8, 0.3, 0.9, 0.5], abs=1e-3)


def test_a_neighbor_within_reach_is_the_second_person():
    close = people((0.1, 0.3), (0.22, 0.3), (0.7, 0.3))
    assert [person["persons"] for person in cached(close)["people"]] == [2, 2, 1]
    assert [person["persons"] for person in cached(close, neighbors=0)["people"]] == [1, 1, 1]
    first, second = (keypoints_in(person) for person in cached(close)["people"][:2])
    assert np.array_equal(first[0], second[1]) and np.array_equal(first[1], second[0])


def test_who_is_hardly_seen_is_left_out():
    keypoints = people((0.1, 0.3), (0.8, 0.3))
    keypoints[1, 1:, :, 2] = 0
    assert len(cached(keypoints, shortest=0.5)["people"]) == 1
    kept = cached(keypoints)["people"][1]
    assert np.isnan(np.array(kept["boxes"]).reshape(FRAMES, 4)[1:]).all()


def test_fewer_frames_are_kept_on_request():
    row = cached(people((0.1, 0.3)), frames=2)
    assert len(row["times"]) == len(row["people"][0]["frames"]) == keypoints_in(row["people"][0]).shape[1] == 2


def test_skeletons_of_other_frames_are_refused():
    with pytest.raises(ClipError, match="3 skeletons for 4 frames"):
        cached(people((0.1, 0.3))[:, :3])


def test_boxes_of_joints():
    keypoints = people((0.1, 0.3))
    keypoints[0, 0, :, 2] = 0
    boxes = boxes_around(keypoints)
    assert np.isnan(boxes[0, 0]).all() and boxes[0, 1] == pytest.approx([0.1, 0.3, 0.2, 0.5], abs=1e-3)
