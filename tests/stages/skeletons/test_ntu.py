"""NTU RGB+D's skeleton files, and the people among the bodies in them."""

from pathlib import Path

import numpy as np
import pytest
from ntu_files import Pixels, skeleton_text, upright

from pipeline.errors import ClipError
from stages.skeletons.formats import read_skeletons

Frames = list[dict[str, Pixels]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "S001C001P001R001A001.skeleton"


def people(path: Path, frames: Frames) -> np.ndarray:
    """Keypoints M,T,25,3 of what is read again."""
    path.write_text(skeleton_text(frames))
    file = read_skeletons(path)
    assert (file.layout.name, file.size) == ("ntu25", (1920, 1080))
    return file.keypoints


def walker(t: int, start: float = 300, speed: float = 10) -> Pixels:
    return upright(start + speed * t)


def wide(x: float, y: float = 700) -> Pixels:
    """A table, or somebody lying: as wide as ``upright`` is high."""
    return upright(0, 0)[:, ::-1] + np.array([x, y])


def shown(keypoints: np.ndarray) -> list[int]:
    """The frames in which somebody's keypoints T,25,3 are known."""
    return np.flatnonzero(keypoints[..., 2].all(1)).tolist()


def test_pixels_are_those_of_the_color_video(path: Path) -> None:
    found = people(path, [{"7": walker(t)} for t in range(5)])  # short, but there is nobody else
    assert found.shape == (1, 5, 25, 3)
    np.testing.assert_allclose(found[0, :, :, :2], [walker(t) for t in range(5)], atol=1e-4)
    assert (found[..., 2] == 1).all()


def test_those_who_move_most_come_first(path: Path) -> None:
    frames = [{"5": upright(1500), "7": walker(t, 300, 2), "9": walker(t, 800, 8)} for t in range(20)]
    del frames[3]["9"]
    found = people(path, frames)
    assert [round(person[0, :, 0].mean()) for person in found] == [
        round(upright(x)[:, 0].mean()) for x in (800, 300, 1500)
    ]
    assert shown(found[0]) == [t for t in range(20) if t != 3]


def test_a_table_is_nobody(path: Path) -> None:
    """Even if it jitters more than the person moves."""
    rng = np.random.default_rng(0)
    frames = [{"5": wide(1200 + rng.normal(0, 80)), "7": walker(t, speed=1)} for t in range(40)]
    found = people(path, frames)
    assert len(found) == 1
    np.testing.assert_allclose(found[0, 7, :, :2], walker(7, speed=1), atol=1e-4)


def test_somebody_who_falls_is_somebody(path: Path) -> None:
    """Wide in less than 70 % of the frames."""
    falls = [upright(600) if t < 7 else wide(600) for t in range(20)]
    assert len(people(path, [{"7": falls[t], "9": walker(t)} for t in range(20)])) == 2
    lies = [upright(600) if t < 6 else wide(600) for t in range(20)]
    assert len(people(path, [{"7": lies[t], "9": walker(t)} for t in range(20)])) == 1


def test_somebody_alone_may_lie_all_the_time(path: Path) -> None:
    assert shown(people(path, [{"7": wide(600)} for _ in range(20)])[0]) == list(range(20))


def test_a_body_in_eleven_frames_is_noise(path: Path) -> None:
    for count, expected in ((11, 1), (12, 2)):
        frames = [{"7": walker(t)} | ({"9": walker(t, 1000, 40)} if t < count else {}) for t in range(40)]
        assert len(people(path, frames)) == expected


def test_a_change_of_id_makes_no_second_person(path: Path) -> None:
    frames: Frames = [{"7": walker(t)} for t in range(20)] + [{}] + [{"8": walker(t)} for t in range(21, 40)]
    found = people(path, frames)
    assert len(found) == 1
    assert shown(found[0]) == [t for t in range(40) if t != 20]


def test_a_new_id_continues_the_person_who_was_there(path: Path) -> None:
    """Both people stop and get new ids, so that each of the later bodies could continue either of them."""
    frames = [
        {"1": walker(t, 300, 4), "2": walker(t, 1500, -6)}
        if t < 20
        else {"3": walker(t, 380, 0.2), "4": walker(t, 1380, -0.1)}
        for t in range(40)
    ]
    found = people(path, frames)
    assert len(found) == 2
    for person in found:
        assert shown(person) == list(range(40))
        assert np.abs(np.diff(person[..., 0].mean(1))).max() < 12


def test_motion_counts_for_the_person_not_for_the_id(path: Path) -> None:
    """Two halves of a walk are more than a shorter walk that is more than either half."""
    frames = [{"1" if t < 20 else "3": walker(t, 300, 4), "2": upright(1500 + 1.7 * t)} for t in range(40)]
    halves, shorter = people(path, frames)
    assert halves[0, :, 0].mean() < 1000 < shorter[0, :, 0].mean()
    alone = people(path, [frame if t < 20 else {"2": frame["2"]} for t, frame in enumerate(frames)])
    assert alone[1, 0, :, 0].mean() < 1000 < alone[0, 0, :, 0].mean()


def test_somebody_may_come_late(path: Path) -> None:
    found = people(path, [{"7": walker(t)} | ({"9": upright(1500)} if t >= 25 else {}) for t in range(40)])
    assert [shown(person) for person in found] == [list(range(40)), list(range(25, 40))]


def test_joints_that_are_no_numbers_are_missing(path: Path) -> None:
    frames = [{"7": walker(t), "9": walker(t, 1000, 1)} for t in range(20)]
    frames[4]["7"] = frames[4]["7"].copy()
    frames[4]["7"][3] = np.nan
    frames[4]["7"][5, 0] = -np.inf
    frames[5]["9"] = np.full((25, 2), np.nan)
    found = people(path, frames)
    assert len(found) == 2
    assert np.isfinite(found).all()
    assert np.flatnonzero(found[0, 4, :, 2] == 0).tolist() == [3, 5]
    assert not found[1, 5].any()
    assert (found[..., 2] == 0).sum() == 2 + 25


def test_no_more_people_than_the_sensor_follows(path: Path) -> None:
    frames = [{str(i): walker(t, 100 + 200 * i) for i in range(8)} for t in range(12)]
    assert len(people(path, frames)) == 6


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("2\n1\n5 0 1 1 1 1 0 0 0 2\n25\n1 2 3\n", "line 5: expected the 12 numbers of a joint"),
        ("1\none\n", "line 2: invalid literal"),
        ("1\n1\n5 0\n17\n", "line 4: expected 25 joints"),
        ("3\n0\n0\n0\n", "has no body in any of 3 frames"),
        ("", "line 1: expected the number of frames"),
        ("99999999999\n1\n", "should have 99999999999 frames, but has only 2 lines"),
    ],
)
def test_errors_name_the_file_and_the_place(path: Path, content: str, message: str) -> None:
    path.write_text(content)
    with pytest.raises(ClipError, match=message) as error:
        read_skeletons(path)
    assert str(path) in str(error.value)


def test_real_files(shared_data: Path) -> None:
    handshake = read_skeletons(shared_data / "ntu/S001C003P008R002A058.skeleton").keypoints
    assert handshake.shape == (2, 70, 25, 3)
    assert (handshake[..., 2] == 1).all()
    hands = handshake[:, :, 11, 0]  # the right ones
    assert np.abs(hands[0] - hands[1]).min() < 20 < 100 < np.abs(hands[0] - hands[1])[0]
    for name, frames in (("S001C001P001R001A011", 82), ("S002C001P003R001A003", 100)):
        reads = read_skeletons(shared_data / f"ntu/{name}.skeleton").keypoints
        assert reads.shape == (1, frames, 25, 3)
        seen = reads[reads[..., 2] > 0]
        assert (seen[:, :2] >= 0).all()
        assert (seen[:, :2] < [1920, 1080]).all()
