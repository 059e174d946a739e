"""Rows of RECOGNITIONS, made by hand, and a browser that shows them."""

import shutil
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from stages.recognitions.exported_files import Places
from stages.recognitions.page import write_page

Spans = Sequence[tuple[float, float, int | None, str | None, float]]
"""Start, end, person, label and score of each segment."""


def row(file: str, segments: Spans, names: Sequence[str]) -> dict[str, Any]:
    keys = ("start", "end", "person", "label", "score")
    made = [dict(zip(keys, segment, strict=True)) | {"nearest": None, "thumbnail": None} for segment in segments]
    windows = [{"start": 0.0, "end": 1.0, "person": None, "probabilities": [1 / len(names)] * len(names)}]
    fixed = {"file": file, "error": None, "failed": 0, "width": 640, "height": 360, "class_names": list(names)}
    return fixed | {"windows": windows, "segments": made}


@pytest.fixture
def video_row() -> Callable[[str, Spans, Sequence[str]], dict[str, Any]]:
    return row


NO_VIDEO = "Failed to load resource: net::ERR_FILE_NOT_FOUND"
"""What chromium says of the videos that a test does not need."""


@pytest.fixture(scope="module")
def browser():
    reason = "playwright is not installed: pip install '.[test]'"
    sync_api = pytest.importorskip("playwright.sync_api", reason=reason)
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        pytest.skip("there is no browser: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def visit(browser, tmp_path):
    """Write a page and open it; whatever it complains about, runs or asks the network for fails the test."""
    wrong = []
    context = browser.new_context(viewport={"width": 1300, "height": 900}, accept_downloads=True)

    def write_and_open(videos, title="mine"):
        page = context.new_page()
        page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: (wrong.append(dialog.message), dialog.dismiss()))
        page.on("request", lambda request: request.url[:5] in ("file:", "data:", "blob:") or wrong.append(request.url))
        path = write_page(videos, Places(tmp_path / "in", tmp_path / "out"), title)
        page.goto(path.as_uri())
        return page

    yield write_and_open
    context.close()
    assert [text for text in wrong if text != NO_VIDEO] == []
