"""People found in many consecutive pictures: each picture's own, under numbers that go on from window to window."""

from collections.abc import Iterator

import numpy as np
import pytest

from recognizer.skeletons import COCO17
from stages.pose.stage import Models, Pose
from stages.showing.estimated import LENGTH, STEP, estimated
from stages.showing.people import People
from stages.synthetic.clip import Clip, Drawn, draw
from stages.video.passes import Encoding

ENCODING = Encoding(short_side=128, quality=95)


@pytest.fixture(scope="module")
def models() -> Models:
    return Pose(estimator="hrnet_mini", detector="mini").load({})


@pytest.fixture(scope="module")
def two() -> Drawn:
    """Two drawn people who shake hands."""
    return draw(Clip(31, "test", "handshake", 0, 128))


def back_and_forth(length: int, count: int) -> list[int]:
    """Positions in a clip that is played forwards, backwards and so on, without a jump."""
    turn = [*range(length), *range(length - 2, 0, -1)]
    return [turn[i % len(turn)] for i in range(count)]


def found_in(images: list[np.ndarray], models: Models) -> list[People]:
    return list(estimated(iter(images), models, ENCODING))


def test_everybody_keeps_a_number_and_every_skeleton_is_of_its_picture(two: Drawn, models: Models) -> None:
    order = back_and_forth(len(two.frames), LENGTH + 2 * STEP + 5)
    found = found_in([two.frames[i] for i in order], models)
    assert len(found) == len(order)
    height, width = two.frames[0].shape[:2]
    torso = [COCO17.joints.index(name) for name in ("left_shoulder", "right_shoulder", "left_hip", "right_hip")]
    middles_TM2 = two.keypoints[:, :, torso, :2].mean(2).swapaxes(0, 1)
    owners: dict[int, set[int]] = {}
    for people, i in zip(found, order, strict=True):
        assert people.layout == "coco17"
        assert len(people.persons) == 2
        for person in people.persons:
            middle = person.keypoints[torso, :2].mean(0) * (width, height)
            distances = np.linalg.norm(middles_TM2[i] - middle, axis=1)
            assert distances.min() < 6, "pixels of 128: a picture before or after would be farther away in fast moves"
            owners.setdefault(person.number, set()).add(int(distances.argmin()))
    assert sorted(owners) == [1, 2]
    assert all(len(owner) == 1 for owner in owners.values())


def test_skeletons_are_finished_as_the_stage_does(two: Drawn, models: Models) -> None:
    plain = found_in(two.frames[:12], models)
    calm = found_in(two.frames[:12], Pose(estimator="hrnet_mini", detector="mini", smoothing=5).load({}))
    other = Pose(estimator="hrnet_mini", detector="mini", convert_to="mediapipe33").load({})

    def moves(found: list[People]) -> float:
        wrists = np.stack([people.persons[0].keypoints[COCO17.joints.index("left_wrist"), :2] for people in found])
        return float(np.abs(np.diff(wrists, axis=0)).max())

    assert moves(calm) < 0.5 * moves(plain)
    [people] = found_in(two.frames[:1], other)
    assert people.layout == "mediapipe33" and people.persons[0].keypoints.shape == (33, 3)


def test_boxes_are_those_of_the_people(two: Drawn, models: Models) -> None:
    [people] = found_in(two.frames[:1], models)
    height, width = two.frames[0].shape[:2]
    for person in people.persons:
        assert person.box is not None
        pixels = np.array(person.box) * (width, height, width, height)
        assert np.abs(two.boxes[:, 0] - pixels).max(1).min() < 12


def test_somebody_who_comes_after_others_have_left_is_somebody_else(two: Drawn, models: Models) -> None:
    nobody = [np.full_like(two.frames[0], 128)] * (LENGTH + STEP)
    found = found_in([*two.frames[:10], *nobody, *two.frames[:10]], models)
    assert {person.number for person in found[0].persons} == {1, 2}
    assert {person.number for person in found[-1].persons} == {3, 4}
    assert found[60].persons == ()


@pytest.mark.parametrize("count", [0, 1, STEP, LENGTH - 1, LENGTH, LENGTH + 1, LENGTH + STEP, LENGTH + STEP + 1])
def test_as_many_as_there_are_pictures(count: int, models: Models) -> None:
    """Without people, so that it is quick."""
    images = [np.full((32, 48, 3), 128, np.uint8)] * count
    assert [people.persons for people in found_in(images, models)] == [()] * count


def test_pictures_are_read_as_they_are_needed(models: Models) -> None:
    """However long a video is, no more than a window and a half is read before the first people are known."""
    read = 0

    def endless() -> Iterator[np.ndarray]:
        nonlocal read
        while True:
            read += 1
            yield np.full((32, 48, 3), 128, np.uint8)

    people = estimated(endless(), models, ENCODING)
    for _ in range(3 * LENGTH):
        next(people)
    assert read <= 3 * LENGTH + LENGTH + STEP
