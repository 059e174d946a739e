"""What a training says of its data before anything is decoded."""

import json

import pyarrow as pa
import pytest

from stages.cache.stage import Cache
from stages.pose.given import Skeletons
from stages.tables import CLIPS
from stages.train.stage import Train
from stages.video.stage import Decode


def clips(*rows: tuple[str | None, str | None]) -> pa.Table:
    """Clips with these labels and splits."""
    return pa.Table.from_pylist(
        [
            {"clip_id": str(i), "source": "1:1", "path": "/v.mp4", "label": label, "split": split}
            for i, (label, split) in enumerate(rows)
        ],
        CLIPS.schema,
    )


GOOD = [("a", "train"), ("b", "train")]


def said(table: pa.Table) -> list[tuple[bool, str]]:
    return [(problem.fatal, problem.text) for problem in Train().check(table, {})]


def test_nothing_is_said_of_good_labels() -> None:
    assert said(clips(*GOOD, ("a", "test"), (None, "test"), (None, None))) == []


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ([("a", "test"), ("b", None)], "no clip has the split train (there are: None, test)"),
        ([("a", "train"), ("a", "val"), ("b", "test")], "all training clips show 'a': training needs at least two"),
        ([*GOOD, (None, "train")], "1 training clips have no label, the first is 2"),
    ],
)
def test_what_no_training_can_come_of(rows: list[tuple[str | None, str | None]], text: str) -> None:
    (fatal, first), *_ = said(clips(*rows))
    assert fatal and first.startswith(text)


def test_validation_clips_of_recordings_that_are_trained_on() -> None:
    names = [f"run/v_{i // 3}_part{i % 3}.mp4" for i in range(9)]
    table = clips(*GOOD * 4, GOOD[0]).set_column(0, "clip_id", pa.array(names))
    (said_of_names,) = said(table)
    assert "such as those of run/v_0" in said_of_names[1] and not said_of_names[0]
    grouped = table.set_column(table.column_names.index("group"), "group", pa.array(["a"] * 9))
    assert said(grouped) == []
    assert [*Train(val_share=0).check(table, {})] == []


def test_classes_that_no_training_clip_shows() -> None:
    table = clips(*GOOD, ("c", "test"), ("d", "test"), ("c", "val"))
    assert said(table) == [
        (False, "no training clip shows these classes of the split val: c"),
        (False, "no training clip shows these classes of the split test: c, d"),
    ]
    many = clips(*GOOD, *((letter, "test") for letter in "cdefghij"))
    assert said(many) == [(False, "no training clip shows these classes of the split test: c, d, e, f, g and 3 more")]


def test_classes_that_may_be_the_same() -> None:
    table = clips(*GOOD, ("Long_Jump", "train"), ("long jump", "test"), ("long jump", "train"), ("longjump", "val"))
    assert said(table) == [
        (
            False,
            "are these classes the same? They are trained as different ones: 'Long_Jump' (1 clip) and 'long jump' "
            "(2 clips) and 'longjump' (1 clip)",
        ),
        (False, "no training clip shows these classes of the split val: longjump"),
    ]
    many = clips(*GOOD, *((letter, "train") for letter in "cdefghCDEFGH"))
    assert said(many)[0][1].endswith("'G' (1 clip) and 'g' (1 clip); and 1 more")
    assert said(clips(*GOOD, ("1", "train"), ("-1", "train"), ("1_0", "train"), ("10", "train"))) == []


def test_frames_and_sizes_beyond_what_the_stages_before_give() -> None:
    small = Train(frames=12, model={"size": 96})

    def notes(**upstream: object) -> list[str]:
        problems = list(small.check(clips(*GOOD), upstream))
        assert not any(problem.fatal for problem in problems)
        return [problem.text for problem in problems]

    assert notes(frames=Decode(frames=12), shards=Cache(size=96)) == []
    assert notes(frames=Decode(frames=8), shards=Cache(size=64)) == [
        "frames are enlarged from 64 to 96 pixels: cache.size is below model.size",
        "train.frames is 12, but clips have 8 frames, so some are repeated",
    ]
    assert notes(frames=Decode(frames=48), shards=Cache(size=96, frames=6)) == [
        "train.frames is 12, but clips have 6 frames, so some are repeated"
    ]
    assert len(notes(skeletons=Skeletons(frames=4), shards=Cache(size=96))) == 1
    pose = Train(frames=4, model={"size": 96, "modality": "pose"})
    assert list(pose.check(clips(*GOOD), {"shards": Cache(size=64)})) == []


def test_turning_people_needs_two_pictures_of_them() -> None:
    def fatal(upstream: dict[str, object], **model: object) -> bool:
        stage = Train(augment={"turn": 30}, model={"modality": "pose", "persons": 2, **model})
        return any(problem.fatal and "augment.turn" in problem.text for problem in stage.check(clips(*GOOD), upstream))

    both = {"skeletons": Skeletons(second_plane=("z", "-y"))}
    assert not fatal(both)
    assert fatal({"skeletons": Skeletons()})
    assert fatal(both, persons=1)
    assert fatal(both, modality="rgb+pose")


def test_mirrored_skeletons_have_to_be_those_of_people() -> None:
    def notes(skeletons: Skeletons, **augment: bool) -> list[str]:
        stage = Train(augment=augment, model={"modality": "pose", "persons": 2})
        return [problem.text for problem in stage.check(clips(*GOOD), {"skeletons": skeletons}) if not problem.fatal]

    fish = json.dumps({"name": "fish", "joints": ["head", "tail"]})
    assert "fish does not say which joints are left and right" in notes(Skeletons(convert_to=fish))[0]
    assert "mirrors both pictures" in notes(Skeletons(second_plane=("z", "-y")))[0]
    assert notes(Skeletons(convert_to=fish, second_plane=("z", "-y")), flip=False) == []
    assert notes(Skeletons()) == notes(Skeletons(convert_to="coco17")) == []


def test_the_best_epoch_is_only_known_with_validation_clips() -> None:
    table = clips(*GOOD * 20)
    (problem,) = Train(keep="best", val_share=0).check(table, {})
    assert problem.fatal and problem.text.startswith("keep: best needs validation clips")
    assert list(Train(keep="best", val_share=0.2).check(table, {})) == []
