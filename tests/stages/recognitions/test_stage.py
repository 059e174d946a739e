import csv

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from video_files import write_video

from stages.images import encoded
from stages.recognitions.stage import Recognitions
from stages.tables import CLIPS, FRAMES, PEOPLE_PREDICTIONS, PREDICTIONS, RECOGNITIONS

NAMES = ["sit", "run", "end"]


@pytest.fixture
def inputs(tmp_path, write_table, files_of, clip_row, variant):
    """Two windows of one video, a whole one, and one that is broken; out of order."""
    root = tmp_path / "in"
    index = [
        clip_row("y", None, None) | {"path": str(root / "y.mp4")},
        clip_row("x@1", None, None) | {"path": str(root / "sub/x.mp4"), "start": 1.0, "end": 3.0},
        clip_row("x@0", None, None) | {"path": str(root / "sub/x.mp4"), "start": 0.0, "end": 2.0},
        clip_row("broken", None, None) | {"path": str(root / "broken.mp4")},
    ]
    probabilities = {"y": [0.7, 0.2, 0.1], "x@0": [0.1, 0.25, 0.65], "x@1": [0.1, 0.2, 0.7]}
    predictions = [
        {"clip_id": clip_id, "error": None, "probabilities": own, "class_names": NAMES}
        for clip_id, own in probabilities.items()
    ]
    picture = encoded(np.full((24, 32, 3), 200, np.uint8), ".jpg")
    films = [
        {"clip_id": "y", "frames": [picture] * 2, "times": [0.0, 1.0], "indices": [0, 10], "source_frames": 25},
        {"clip_id": "x@0", "frames": [picture] * 2, "times": [0.5, 1.5], "indices": [5, 15]},
        {"clip_id": "x@1", "frames": [picture] * 2, "times": [1.5, 2.5], "indices": [15, 25]},
        {"clip_id": "broken", "error": "moov atom not found"},
    ]
    films = [{"error": None, "source_width": 32, "source_height": 24} | film for film in films]
    tables = {
        "predictions": files_of([write_table(tmp_path / "p.parquet", predictions, PREDICTIONS.schema)]),
        "frames": files_of([write_table(tmp_path / "f.parquet", films, FRAMES.schema)]),
    }
    return root, variant(pa.Table.from_pylist(index, schema=CLIPS.schema), **tables)


def lines(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_one_row_a_video_by_file_and_time(inputs, context):
    root, variant = inputs
    table = Recognitions(root=root).run(variant, context)
    assert table.schema == RECOGNITIONS.schema
    broken, x, y = table.to_pylist()
    assert [row["file"] for row in (broken, x, y)] == ["broken.mp4", "sub/x.mp4", "y.mp4"]
    assert (broken["error"], broken["failed"], broken["segments"]) == ("moov atom not found", 1, [])
    assert [(window["start"], window["end"]) for window in x["windows"]] == [(0, 2), (1, 3)]
    (segment,) = x["segments"]
    assert (segment["start"], segment["end"], segment["label"]) == (0, 3, "end")
    assert (x["width"], x["height"], x["error"]) == (32, 24, None)
    assert y["segments"][0]["end"] == 2.5, "25 frames, ten of which take a second"
    assert segment["thumbnail"].startswith(b"\xff\xd8")


def test_a_whole_video_lasts_as_long_as_its_file_says(inputs, context):
    """Not as long as the times of some of its frames suggest."""
    root, variant = inputs
    write_video(root / "y.mp4", count=27, milliseconds=[0, *range(5000, 6040, 40)])
    *_, y = Recognitions(root=root).run(variant, context).to_pylist()
    assert y["windows"][0]["start"] == 0 and abs(y["windows"][0]["end"] - 6.04) < 0.05


def test_a_video_of_one_picture_is_recognized(tmp_path, write_table, files_of, clip_row, variant, context):
    index = [clip_row("picture", None, None) | {"path": str(tmp_path / "picture.mp4")}]
    film = {"clip_id": "picture", "error": None, "times": [0.0] * 2, "indices": [0] * 2, "source_frames": 1}
    film["frames"] = [encoded(np.full((24, 32, 3), 200, np.uint8), ".jpg")] * 2
    prediction = {"clip_id": "picture", "error": None, "probabilities": [0.7, 0.2, 0.1], "class_names": NAMES}
    tables = {
        "predictions": files_of([write_table(tmp_path / "p.parquet", [prediction], PREDICTIONS.schema)]),
        "frames": files_of([write_table(tmp_path / "f.parquet", [film], FRAMES.schema)]),
    }
    table = Recognitions(root=tmp_path).run(
        variant(pa.Table.from_pylist(index, schema=CLIPS.schema), **tables), context
    )
    [segment] = table.to_pylist()[0]["segments"]
    assert (segment["start"], segment["end"], segment["label"]) == (0, 0.04, "sit")


def test_files_for_people(inputs, context, tmp_path):
    root, variant = inputs
    stage = Recognitions(root=root, out=tmp_path / "out", min_score=0.69)
    said = stage.export(stage.run(variant, context), tmp_path / "run", tmp_path)
    assert said.startswith("3 segments in 2 videos: ")
    found = lines(tmp_path / "out" / "recognitions.csv")
    columns = ["file", "start", "end", "label", "score", "person", "nearest"]
    assert list(found[0]) == columns == pq.read_table(tmp_path / "out" / "recognitions.parquet").column_names
    assert [(row["file"], row["label"], row["nearest"]) for row in found] == [
        ("sub/x.mp4", "none", "end"),
        ("sub/x.mp4", "end", ""),
        ("y.mp4", "sit", ""),
    ]

    windows = lines(tmp_path / "out" / "windows.csv")
    assert list(windows[0]) == ["file", "start", "end", "person", "sit", "run", "end (class)"]
    assert [float(windows[0][name]) for name in ("sit", "run", "end (class)")] == [0.1, 0.25, 0.65]
    assert len(windows) == 3

    sums = lines(tmp_path / "out" / "summary.csv")
    assert [(row["file"], row["label"], row["segments"], row["seconds"]) for row in sums] == [
        ("sub/x.mp4", "end", "1", "1"),
        ("sub/x.mp4", "none", "1", "2"),
        ("y.mp4", "sit", "1", "2.5"),
    ]
    assert (sums[0]["first"], sums[0]["last"]) == ("2", "3")


def test_people_have_segments_of_their_own(tmp_path, context, write_table, files_of, clip_row, variant, inputs):
    root, (whole,) = inputs
    rows = []
    for clip_id, times in (("x@0", [0.5, 1.5]), ("x@1", [1.5, 2.5])):
        people = [
            {"probabilities": [0.8, 0.1, 0.1], "boxes": [0.1, 0.1, 0.2, 0.5] * 2},
            {"probabilities": [0.1, 0.9, 0.0], "boxes": [float("nan")] * 4 + [0.7, 0.1, 0.8, 0.5]},
        ]
        own = people if clip_id == "x@0" else people[::-1]
        rows.append({"clip_id": clip_id, "error": None, "class_names": NAMES, "times": times, "people": own})
    rows.append({"clip_id": "y", "error": None, "class_names": NAMES, "times": [0.0, 1.0], "people": []})
    predictions = files_of([write_table(tmp_path / "pp.parquet", rows, PEOPLE_PREDICTIONS.schema)])
    tables = {"people_predictions": predictions, "frames": whole.inputs["frames"]}
    _, x, y = Recognitions(root=root).run(variant(whole.clips, **tables), context).to_pylist()
    assert [(one["start"], one["end"], one["person"], one["label"]) for one in x["segments"]] == [
        (0, 3, 1, "sit"),
        (0, 3, 2, "run"),
    ]
    assert (y["segments"], y["error"]) == ([], None)
    for segment, own, other in ((x["segments"][0], 0.15, 0.75), (x["segments"][1], 0.75, 0.15)):
        picture = cv2.imdecode(np.frombuffer(segment["thumbnail"], np.uint8), cv2.IMREAD_GRAYSCALE)
        height, width = picture.shape
        bright, dim = (int(picture[int(0.3 * height), int(x * width)]) for x in (own, other))
        assert bright > 190 and dim < 110, "the person whose segment it is stands out"
