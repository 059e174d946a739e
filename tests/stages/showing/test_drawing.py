"""What is drawn of people, and where."""

import numpy as np
import pytest

from recognizer.skeletons import COCO17
from stages.showing.drawing import COLORS, color_of, draw_caption, draw_people, font_size
from stages.showing.people import Box, People, Person, of_keypoints

H, W = 480, 640
GRAY = 100


def person(number: int, box: Box | None = None, score: float = 1.0, x: float = 0.5) -> Person:
    """Somebody with two joints, one below the other."""
    keypoints = np.zeros((COCO17.count, 3))
    keypoints[COCO17.joints.index("right_hip")] = x, 0.5, score
    keypoints[COCO17.joints.index("right_knee")] = x, 0.7, score
    return Person(number, keypoints, box)


def drawn(*persons: Person) -> np.ndarray:
    return draw_people(np.full((H, W, 3), GRAY, np.uint8), People(persons))


def test_a_box_in_the_persons_color_where_it_was_detected() -> None:
    image = drawn(person(2, (0.25, 0.25, 0.75, 0.9)))
    for y, x in ((H // 2, W // 4), (H // 2, 3 * W // 4), (432, 300)):
        assert tuple(image[y, x]) == color_of(2)
    assert (image[: H // 4 - font_size(image) * 2] == GRAY).all(), "nothing above the label"
    assert tuple(image[H // 4 - 2, W // 4 + 1]) == color_of(2), "the label stands on the box"


def test_no_box_where_nobody_was_detected_but_number_and_skeleton() -> None:
    image = drawn(person(1))
    assert np.abs(image[round(0.6 * H), W // 2 - 3 : W // 2 + 3].astype(int) - color_of(1)).max(1).min() < 20
    changed = np.argwhere((image != GRAY).any(-1))
    assert changed[:, 1].min() > 0.45 * W and changed[:, 1].max() < 0.55 * W
    assert changed[:, 0].min() > 0.4 * H and changed[:, 0].max() < 0.75 * H


def test_the_less_sure_the_fainter() -> None:
    differences = [
        np.abs(drawn(person(1, score=score))[round(0.6 * H), W // 2 - 1].astype(int) - GRAY).sum()
        for score in (0.1, 0.3, 0.5, 0.9)
    ]
    assert differences == sorted(set(differences)) and differences[0] > 0


def test_the_number_can_be_read_in_every_color() -> None:
    for number in range(1, len(COLORS) + 1):
        red, green, blue = color_of(number)
        assert 0.299 * red + 0.587 * green + 0.114 * blue > 120, "dark letters stand on it"
    colors = np.array(COLORS)
    distances = np.linalg.norm(colors[:, None] - colors[None], axis=2)
    assert distances[~np.eye(len(COLORS), dtype=bool)].min() > 60


def test_labels_of_people_cut_by_the_border_stay_inside() -> None:
    image = drawn(person(12, (-0.2, -0.3, 0.1, 0.5)), person(3, (0.97, 0.0, 1.4, 0.5)))
    assert tuple(image[1, 1]) == color_of(12)
    assert tuple(image[1, W - 2]) == color_of(3)


def test_small_people_get_thin_lines() -> None:
    def width(extent: float) -> int:
        one = person(1)
        one.keypoints[COCO17.joints.index("right_knee"), 1] = 0.5 + extent
        row = draw_people(np.full((H, W, 3), GRAY, np.uint8), People((one,)))[round((0.5 + extent / 2) * H)]
        return int((np.abs(row.astype(int) - color_of(1)).max(1) < 40).sum())

    assert 0 < width(0.1) < width(0.45)


def test_nobody() -> None:
    image = np.full((H, W, 3), GRAY, np.uint8)
    result = draw_people(image, People())
    assert (result == GRAY).all() and result is not image


@pytest.mark.parametrize("text", ["wave, recognized as push (83 %)", "приседание ñ é 😀 " * 30, "", "a\nb\x00"])
def test_captions_of_any_length_and_alphabet(text: str) -> None:
    image = np.full((64, 96, 3), 200, np.uint8)
    draw_caption(image, text)
    assert (image[30:] == 200).all()
    assert (image[:16].max() > 220) == bool(text)


def test_people_of_keypoints_are_those_with_joints() -> None:
    keypoints = np.zeros((2, 3, COCO17.count, 3))
    keypoints[0, :2, 0] = 0.5, 0.5, 1
    keypoints[1, 1, 0] = 0.2, 0.5, 0.4
    numbers = [[person.number for person in people.persons] for people in of_keypoints(keypoints, "coco17")]
    assert numbers == [[1], [1, 2], []]
