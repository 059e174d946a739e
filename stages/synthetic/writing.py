"""Writes the synthetic data set: mp4 and skeleton files whose bytes depend only on the specification."""

import hashlib
import json
import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import NamedTuple

import av
import cv2
import numpy as np

from pipeline.errors import ManifestError
from stages.synthetic.clip import Clip, Drawn, draw

FORMAT = 2
"""To be increased when the same specification gives different files."""
FEW = 40
"""So few clips are written before worker processes would have started."""


class Order(NamedTuple):
    """A clip and its files."""

    clip: Clip
    video: Path
    skeleton: Path | None

    def written(self) -> bool:
        return self.video.exists() and (self.skeleton is None or self.skeleton.exists())


def claim(root: Path, specification: dict[str, object], write: bool = True) -> None:
    """Compare the specification with that in ``root/dataset.json``; if there is no such file, ``write`` it.

    Raises ManifestError if the folder contains a data set with another specification.
    """
    record = root / "dataset.json"
    wanted = {"generator": "synthetic actions", "format": FORMAT, **specification}
    if not record.exists() and not write:
        return
    if not record.exists():
        root.mkdir(parents=True, exist_ok=True)
        _replace(record, json.dumps(wanted, indent=2).encode() + b"\n", 0)
    found = json.loads(record.read_text(encoding="utf-8"))
    if found != wanted:
        differing = ", ".join(
            f"{key} {found.get(key)} instead of {wanted.get(key)}"
            for key in sorted(found.keys() | wanted.keys())
            if found.get(key) != wanted.get(key)
        )
        raise ManifestError(
            f"{root} contains a synthetic data set with {differing}: choose another root, or delete the folder"
        )


def write_missing(orders: Sequence[Order]) -> None:
    """Write the missing files on all cores, with progress on stderr."""
    missing = [order for order in orders if not order.written()]
    started = time.monotonic()
    shown = started

    def tell(done: int) -> None:
        nonlocal shown
        now = time.monotonic()
        if now - shown > 2 or (shown > started and done == len(missing)):
            shown = now
            print(f"synthetic: {done} of {len(missing)} videos written", file=sys.stderr, flush=True)

    workers = min(os.cpu_count() or 1, len(missing) // FEW)
    if workers < 2:
        for done, order in enumerate(missing, 1):
            write(order)
            tell(done)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_begin_worker) as pool:
        for done, job in enumerate(as_completed([pool.submit(write, order) for order in missing]), 1):
            job.result()
            tell(done)


def write(order: Order) -> None:
    """Draw a clip and write its files. Each one appears under its name only when complete, the video last."""
    drawn = draw(order.clip)
    digest = hashlib.blake2b(repr((FORMAT, order.clip)).encode(), digest_size=4).digest()
    # Times that depend only on the content keep fingerprints (size and time) equal when files are written again.
    stamp = 1_600_000_000 + int.from_bytes(digest) % 100_000_000
    order.video.parent.mkdir(parents=True, exist_ok=True)
    if order.skeleton is not None:
        _replace(order.skeleton, drawn, stamp)
    _replace(order.video, drawn, stamp)


def _replace(path: Path, content: Drawn | bytes, stamp: int) -> None:
    """Write a file under a temporary name and rename it; ``stamp``: its modification time, or 0 for now."""
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")
    try:
        if isinstance(content, bytes):
            temporary.write_bytes(content)
        elif path.suffix == ".npz":
            np.savez(temporary, keypoints=content.keypoints, layout=np.array("coco17"))
        else:
            _encode(temporary, content)
        if stamp:
            os.utime(temporary, (stamp, stamp))
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _encode(path: Path, drawn: Drawn) -> None:
    """H.264 in mp4, always the same bytes: the output of x264 depends on the number of threads, and with B-frames its
    macroblock tree reads uninitialized memory."""
    height, width = drawn.frames[0].shape[:2]
    options = {"preset": "veryfast", "crf": "23", "x264-params": "mbtree=0"}
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=drawn.fps, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.thread_count = 1
        for image in drawn.frames:
            planes = cv2.cvtColor(image, cv2.COLOR_RGB2YUV_I420)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(planes, format="yuv420p")))
        container.mux(stream.encode())


def _begin_worker() -> None:
    cv2.setNumThreads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Otherwise the workers of a pool would wait forever for a parent that was killed."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
