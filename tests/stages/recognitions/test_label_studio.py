"""Tasks that Label Studio imports."""

import json
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree

import pytest

from stages.recognitions.exported_files import Places
from stages.recognitions.label_studio import write_label_studio
from tests.plugins.video_files import write_video

NAMES = ["sit", "fall", '"a" & <b>\n']
SEGMENTS = [(0, 1, None, "sit", 0.9), (1, 1.5, None, None, 0.2), (1.5, 2, 3, NAMES[2], 0.6), (2, 2, None, "fall", 0.6)]


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path / "videos", tmp_path / "out")


def tasks(places: Places, rows: list) -> list:
    write_label_studio(rows, places, "runs/mine")
    return json.loads((places.out / "label_studio.json").read_text())


def test_spans_are_frames_of_the_video(places: Places, video_row) -> None:
    write_video(places.videos / "a.mp4", rate=20)
    (task,) = tasks(places, [video_row("a.mp4", SEGMENTS, NAMES)])
    assert task["data"] == {"video": "/data/local-files/?d=videos/a.mp4", "fps": 20.0, "file": "a.mp4"}
    (prediction,) = task["predictions"]
    assert prediction["model_version"] == "runs/mine"
    assert prediction["score"] == pytest.approx((0.9 + 0.5 * 0.6) / 1.5, abs=1e-3)
    regions = prediction["result"]
    ranges = [region["value"]["ranges"] for region in regions]
    assert ranges == [[{"start": 1, "end": 20}], [{"start": 31, "end": 40}], [{"start": 41, "end": 41}]]
    assert [region["value"]["timelinelabels"] for region in regions] == [["sit"], ['"a" & <b>'], ["fall"]]
    assert [region["score"] for region in regions] == [0.9, 0.6, 0.6]
    assert [region.get("meta") for region in regions] == [None, {"text": ["person 3"]}, None]
    assert len({region["id"] for region in regions}) == 3
    assert {region["type"] for region in regions} == {"timelinelabels"}


def test_the_configuration_has_the_tags_that_predictions_name(places: Places, video_row) -> None:
    (task,) = tasks(places, [video_row("a.mp4", SEGMENTS, NAMES)])
    view = ElementTree.parse(places.out / "label_studio.xml").getroot()
    video, labels = view.find("Video"), view.find("TimelineLabels")
    assert video is not None and labels is not None
    assert labels.attrib["toName"] == video.attrib["name"]
    for tag in ("value", "frameRate"):
        assert video.attrib[tag].removeprefix("$") in task["data"]
    choices = {label.attrib["value"] for label in labels}
    for region in task["predictions"][0]["result"]:
        assert (region["from_name"], region["to_name"]) == (labels.attrib["name"], video.attrib["name"])
        assert set(region["value"]["timelinelabels"]) <= choices


def test_videos_that_are_gone_and_names_that_urls_do_not_hold(places: Places, video_row) -> None:
    odd, unread = "sub/50% & #1 ü?.mp4", video_row("b.mp4", [], NAMES) | {"windows": []}
    (task,) = tasks(places, [video_row(odd, [], NAMES), unread])
    assert parse_qs(urlsplit(task["data"]["video"]).query) == {"d": [f"videos/{odd}"]}
    assert task["data"]["fps"] == 25 and "score" not in task["predictions"][0]


def test_a_video_that_changes_has_its_new_rate(places: Places, video_row) -> None:
    rows = [video_row("a.mp4", SEGMENTS, NAMES)]
    for rate in (20, 10):
        write_video(places.videos / "a.mp4", rate=rate)
        assert tasks(places, rows)[0]["data"]["fps"] == rate
