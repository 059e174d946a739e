"""The page as a file; what it does in a browser is tested in test_page_in_browser.py."""

import json
import re
from html.parser import HTMLParser

import numpy as np

from stages.images import encoded
from stages.recognitions import page as module
from stages.recognitions.exported_files import Places
from stages.recognitions.page import address, write_page

PICTURE = encoded(np.full((12, 16, 3), 90, np.uint8), ".jpg")
HOSTILE = "</script><script>alert(1)</script><!--"


def segment(start, label="wave", person=None, score=0.5, thumbnail=PICTURE, nearest=None):
    row = {"start": start, "end": start + 1, "person": person, "label": label, "score": score}
    return row | {"nearest": nearest, "thumbnail": thumbnail}


def video(file, segments, names=("wave", "sit"), error=None):
    row = {"file": file, "error": error, "failed": int(error is not None), "width": 16, "height": 12}
    return row | {"class_names": list(names), "windows": [], "segments": segments}


class Blocks(HTMLParser):
    """The contents of script and style elements, and the attributes of all elements."""

    def __init__(self, text):
        super().__init__()
        self.blocks, self.attributes, self._open = [], [], False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.attributes += attributes
        self._open = tag in ("script", "style")
        if self._open:
            self.blocks.append("")

    def handle_data(self, text):
        if self._open:
            self.blocks[-1] += text

    def handle_endtag(self, tag):
        self._open = False


def written(tmp_path, videos, title="mine"):
    """The page's blocks, and the data in it."""
    path = write_page(videos, Places(tmp_path / "in", tmp_path / "out"), title)
    found = Blocks(path.read_text(encoding="utf-8"))
    style, data, script = found.blocks
    return found, json.loads(data), style, script


def test_segments_in_the_page(tmp_path):
    none = segment(1.23456, None, 2, 0.98765, nearest="sit")
    videos = [video("a.mp4", [segment(0), none]), video("b.mp4", [], error="broken")]
    _, data, *_ = written(tmp_path, videos)
    assert data["labels"] == ["wave", "sit"]
    a, b = data["videos"]
    assert a["segments"] == [[0, 1, None, 0, 0.5, 0], [1.235, 2.235, 2, -1, 0.9877, 1, 1]]
    assert (a["original"], a["preview"], a["seconds"]) == ("../in/a.mp4", None, 2.235)
    assert (b["error"], b["failed"], b["segments"]) == ("broken", 1, [])
    assert len(data["thumbnails"]) == 2


def test_hostile_texts_end_no_block(tmp_path):
    videos = [video(f"{HOSTILE}.mp4", [segment(0, HOSTILE)], [HOSTILE], error=HOSTILE)]
    found, data, _, script = written(tmp_path, videos, title=HOSTILE)
    assert len(found.blocks) == 3
    assert data["videos"][0]["file"] == f"{HOSTILE}.mp4" and data["labels"] == [HOSTILE]
    assert "alert(1)" not in script


def test_only_the_page_s_own_script_may_run_and_nothing_is_fetched(tmp_path):
    found, _, style, script = written(tmp_path, [video("a.mp4", [segment(0)])])
    policy = next(value for name, value in found.attributes if name == "content" and "default-src" in value)
    assert f"script-src '{module._hash(script)}'" in policy and f"style-src '{module._hash(style)}'" in policy
    assert "default-src 'none'" in policy and "unsafe" not in policy
    addresses = [value for name, value in found.attributes if name in ("src", "href", "srcset", "action")]
    assert addresses == [] and not re.search(r"https?:", script + style)
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", script)


def test_thumbnails_up_to_the_budget(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "THUMBNAIL_BYTES", 2 * len(PICTURE) + 1)
    _, data, *_ = written(tmp_path, [video("a.mp4", [segment(i) for i in range(5)] + [segment(9, thumbnail=None)])])
    assert [row[5] for row in data["videos"][0]["segments"]] == [0, 1, -1, -1, -1, -1]
    assert (len(data["thumbnails"]), data["thumbnails_left_out"]) == (2, 3)


def test_segments_that_were_given_no_thumbnail_count_as_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MOST", 2)
    none = [segment(i, thumbnail=None) for i in range(2, 5)]
    _, data, *_ = written(tmp_path, [video("a.mp4", [segment(0), segment(1)]), video("b.mp4", none)])
    assert (len(data["thumbnails"]), data["thumbnails_left_out"]) == (2, 3)


def test_a_score_that_is_no_number(tmp_path):
    _, data, *_ = written(tmp_path, [video("a.mp4", [segment(0, score=float("nan"))])])
    assert data["videos"][0]["segments"][0][4] is None


def test_addresses(tmp_path):
    assert address(tmp_path / "in" / "a b#?%é.mp4", tmp_path / "out") == "../in/a%20b%23%3F%25%C3%A9.mp4"
    assert address(tmp_path / "x:y.mp4", tmp_path) == "x%3Ay.mp4"
