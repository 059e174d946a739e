"""Rows for the page of recognitions, and what tests ask of it in a browser."""

import time
from pathlib import Path

import av
import numpy as np

from stages.images import encoded

PICTURE = encoded(np.full((54, 96, 3), 90, np.uint8), ".jpg")


def write_movie(path, seconds=4, rate=10):
    """A small video whose pictures become brighter."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=rate)
        stream.width, stream.height, stream.pix_fmt = 96, 54, "yuv420p"
        for i in range(seconds * rate):
            image = np.full((54, 96, 3), 20 + 5 * i, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


def segment(start, end, label, score, person=None, thumbnail=PICTURE, nearest=None):
    row = {"start": start, "end": end, "person": person, "label": label, "score": score}
    return row | {"nearest": nearest, "thumbnail": thumbnail}


def video(file, segments, error=None, names=("wave", "sit", "run")):
    row = {"file": file, "error": error, "failed": int(error is not None), "width": 96, "height": 54}
    return row | {"class_names": list(names), "windows": [], "segments": segments}


def until(page, condition):
    """Wait for it. What playwright has for this would need a policy that allows scripts in strings."""
    end = time.monotonic() + 20
    while not page.evaluate(condition):
        assert time.monotonic() < end, condition
        time.sleep(0.02)


def current(page):
    return page.inner_text("#now .label").replace("\n", " ")


def exported(page):
    with page.expect_download() as download:
        page.click("#export")
    assert download.value.suggested_filename == "corrections.csv"
    return Path(download.value.path())
