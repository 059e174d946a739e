"""Person m is the same person in all frames."""

import numpy as np

from stages.pose.tracking import Found, Track, same_people, sample, track

T = 20
MIN_SCORE = 0.5
RED, BLUE = np.tile([50.0, 60, 40], 3), np.tile([40.0, 20, -60], 3)


def person(x: np.ndarray, size: tuple[float, float] = (40, 100), score: float = 0.9) -> np.ndarray:
    """T,5 boxes of somebody whose left edge is at x."""
    width, height = size
    return np.column_stack([x, np.full_like(x, 50), x + width, np.full_like(x, 50 + height), np.full_like(x, score)])


def tracked(
    people: list[np.ndarray], colors: list[np.ndarray], order_seed: int | None = None, every: int = 1
) -> list[Track]:
    """Tracks of people T,5 (NaN: not detected), listed in each frame in a random order."""
    rng = np.random.default_rng(order_seed)
    found = {}
    for t in range(0, T, every):
        here = [i for i, boxes in enumerate(people) if not np.isnan(boxes[t, 0])]
        if order_seed is not None:
            rng.shuffle(here)
        boxes = np.array([people[i][t] for i in here]).reshape(-1, 5)
        found[t] = Found(boxes, np.array([colors[i] for i in here]).reshape(-1, 9))
    return track(found, T, MIN_SCORE)


def test_people_who_cross_each_other_keep_their_tracks() -> None:
    left, right = person(np.linspace(0, 300, T)), person(np.linspace(310, 5, T))
    for colors in ([RED, BLUE], [RED, RED]):
        one, two = tracked([left, right], colors)
        paths = sorted([one.boxes[:, 0], two.boxes[:, 0]], key=lambda path: path[0])
        np.testing.assert_array_equal(paths, [left[:, 0], right[:, 0]])


def test_people_who_hide_each_other_and_go_back_are_told_apart_by_their_colors() -> None:
    there_and_back = np.concatenate([np.linspace(0, 135, T // 2), np.linspace(135, 0, T // 2)])
    left, right = person(there_and_back), person(300 - there_and_back)
    right[7:13] = np.nan
    one, two = tracked([left, right], [RED, BLUE])
    np.testing.assert_array_equal(one.boxes[:, 0], left[:, 0])
    np.testing.assert_array_equal(two.boxes[:, 0], right[:, 0])


def test_the_order_of_detections_has_no_influence() -> None:
    rng = np.random.default_rng(3)
    people = [person(rng.uniform(0, 400) + rng.normal(0, 6, T).cumsum(), score=rng.uniform(0.5, 1)) for _ in range(5)]
    people[2][4:9] = np.nan
    colors = list(rng.uniform(-50, 50, (5, 9)))
    expected = tracked(people, colors)
    for seed in range(5):
        for a, b in zip(expected, tracked(people, colors, seed), strict=True):
            np.testing.assert_array_equal(a.boxes, b.boxes)


def test_detections_point_to_the_boxes_of_the_track() -> None:
    people = [person(np.linspace(0, 100, T)), person(np.linspace(300, 200, T))]
    for one in tracked(people, [RED, BLUE], order_seed=1):
        assert set(one.detections) <= {0, 1}
    found = {t: Found(np.array([people[1][t], people[0][t]]), np.stack([BLUE, RED])) for t in range(T)}
    for one in track(found, T, MIN_SCORE):
        boxes = [found[t].boxes[one.detections[t], :4] for t in range(T)]
        np.testing.assert_array_equal(one.boxes, boxes)


def test_a_gap_does_not_end_a_track() -> None:
    walker = person(np.linspace(0, 60, T))
    walker[5:15] = np.nan
    (one,) = tracked([walker], [RED])
    assert (one.detections >= 0).sum() == 10
    assert np.isnan(one.boxes[5:15]).all()


def test_those_seen_longest_and_largest_come_first() -> None:
    passer_by = person(np.linspace(0, 500, T), size=(20, 40))
    actor = person(np.linspace(200, 220, T))
    actor[18:] = np.nan
    short = person(np.full(T, 600.0))
    short[3:] = np.nan
    tracks = tracked([short, passer_by, actor], [RED, RED, BLUE])
    assert [int((one.detections >= 0).sum()) for one in tracks] == [18, T, 3]


def test_a_second_box_of_the_same_person_begins_no_track() -> None:
    whole = person(np.full(T, 100.0), size=(80, 100))
    arm = person(np.full(T, 70.0), size=(80, 90), score=0.6)
    arm[:8] = np.nan
    assert len(tracked([whole, arm], [RED, RED])) == 1


def test_doubtful_boxes_continue_a_track_and_begin_none() -> None:
    bowing = person(np.full(T, 100.0))
    bowing[8:14, 4] = 0.25
    ghost = person(np.full(T, 400.0), score=0.25)
    (one,) = tracked([bowing, ghost], [RED, BLUE])
    assert (one.detections >= 0).all()
    np.testing.assert_array_equal(one.boxes[:, 0], 100)


def test_a_confident_box_continues_the_track_before_a_doubtful_one_does() -> None:
    walker, shadow = person(np.linspace(0, 60, T)), person(np.linspace(0, 60, T) - 1, score=0.3)
    (one,) = tracked([shadow, walker], [RED, RED])
    np.testing.assert_array_equal(one.boxes[:, 0], walker[:, 0])


def test_people_who_cross_each_other_between_the_frames_looked_at_keep_their_tracks() -> None:
    left, right = person(np.linspace(0, 300, T)), person(np.linspace(310, 5, T))
    one, two = tracked([left, right], [RED, BLUE], every=3)
    looked_at = np.arange(0, T, 3)
    for path in (one.boxes[:, 0], two.boxes[:, 0]):
        assert np.flatnonzero(~np.isnan(path)).tolist() == looked_at.tolist()
    paths = sorted([one.boxes[looked_at, 0], two.boxes[looked_at, 0]], key=lambda path: path[0])
    np.testing.assert_array_equal(paths, [left[looked_at, 0], right[looked_at, 0]])


def test_prominence_does_not_depend_on_how_many_frames_were_looked_at() -> None:
    still = person(np.full(T, 100.0))
    prominences = [tracked([still], [RED], every=every)[0].prominence for every in (1, 2, 7, T)]
    np.testing.assert_allclose(prominences, T * 0.9 * np.sqrt(40 * 100))


def test_the_same_people_are_found_among_the_tracks_of_more_frames() -> None:
    people = [person(np.linspace(0, 60, T)), person(np.full(T, 300.0), size=(60, 150))]
    few, all_frames = (tracked(people, [RED, BLUE], every=every) for every in (5, 1))
    assert same_people(few[::-1], all_frames) == ([0, 1], all_frames[::-1])
    assert same_people([few[0], few[0], few[1]], all_frames) == ([0, 2], all_frames)


def test_a_sample_of_the_frames_in_which_somebody_was_detected() -> None:
    walker = person(np.linspace(0, 60, T))
    walker[:8] = np.nan
    (one,) = tracked([walker], [RED])
    assert sample(one) == [12, 16]
    (once,) = track({3: Found(walker[9:10], RED[None])}, T, MIN_SCORE)
    assert sample(once) == [3]


def test_no_detections_are_no_tracks() -> None:
    assert tracked([], []) == []
    assert track({}, T, MIN_SCORE) == []
