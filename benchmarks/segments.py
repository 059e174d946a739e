"""Segments against known times: a long video joined from short clips, recognized, and compared with what was joined.

    python benchmarks/segments.py join UT_INTERACTION/set1 --sequences 6 7 8 9 10 --out joined
    pipeline recognize joined/joined.mp4 --model RUN --stride 1 --out recognized
    python benchmarks/segments.py score joined/truth.csv recognized

RUN must not have seen the sequences. Every clip occurs twice, in random order. Before and after it, the picture stands
still for some seconds, which belong to no class. A found segment is right if a true one of its label overlaps it
enough (intersection over union); each counts once. F1 is the harmonic mean of the shares of right ones among found
segments and among true ones.
"""

import argparse
import csv
import random
from pathlib import Path

import av
import cv2
import numpy as np
import pandas as pd

CLASSES = ("hand shaking", "hugging", "kicking", "pointing", "punching", "pushing")
WIDTH, HEIGHT, RATE = 480, 320, 30
Span = tuple[float, float, str]


def join(root: Path, sequences: list[str], out: Path, minutes: float) -> None:
    clips = [path for path in sorted(root.glob("*.avi")) if path.stem.split("_")[1] in sequences] * 2
    chance = random.Random(0)
    chance.shuffle(clips)
    films = {path: [fitted(frame.to_ndarray(format="rgb24")) for frame in pictures(path)] for path in set(clips)}
    still = round(minutes * 60 * RATE) - sum(len(films[path]) for path in clips)
    weights = [chance.uniform(0.4, 1.6) for _ in clips]
    out.mkdir(parents=True, exist_ok=True)
    truth: list[Span] = []
    with av.open(str(out / "joined.mp4"), "w") as file:
        stream = file.add_stream("libx264", rate=RATE, options={"crf": "20"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        count = 0
        for path, weight in zip(clips, weights, strict=True):
            film, pause = films[path], round(still * weight / sum(weights) / 2)
            start = (count + pause) / RATE
            truth.append((start, start + len(film) / RATE, CLASSES[int(path.stem.split("_")[2])]))
            for picture in [*[film[0]] * pause, *film, *[film[-1]] * pause]:
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame.pts = count
                count += 1
                file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    with (out / "truth.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("start", "end", "label"), *truth])
    print(f"{count / RATE:.0f} s, of which {sum(end - start for start, end, _ in truth):.0f} s in {len(truth)} actions")


def pictures(path: Path):
    with av.open(str(path)) as file:
        yield from file.decode(video=0)


def fitted(picture: np.ndarray) -> np.ndarray:
    """The picture in the middle of a black one of the video's size."""
    scale = min(WIDTH / picture.shape[1], HEIGHT / picture.shape[0])
    small = cv2.resize(picture, (round(picture.shape[1] * scale), round(picture.shape[0] * scale)))
    canvas = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    top, left = (HEIGHT - small.shape[0]) // 2, (WIDTH - small.shape[1]) // 2
    canvas[top : top + small.shape[0], left : left + small.shape[1]] = small
    return canvas


def score(truth_file: Path, recognized: Path) -> None:
    truth = spans(pd.read_csv(truth_file))
    windows = pd.read_csv(recognized / "windows.csv")
    windows["label"] = windows[list(windows.columns[4:])].idxmax(axis=1)
    segments = pd.read_csv(recognized / "recognitions.csv")
    for name, found in (("windows", spans(windows)), ("segments", spans(segments[segments["label"] != "none"]))):
        for least in (0.25, 0.5):
            right = matches(found, truth, least)
            f1 = 2 * right / (len(found) + len(truth))
            print(f"{name}, IoU {least}: F1 {f1:.3f}, {right} of {len(truth)} found, {len(found) - right} wrong")


def spans(table: pd.DataFrame) -> list[Span]:
    return list(table[["start", "end", "label"]].itertuples(index=False, name=None))


def matches(found: list[Span], truth: list[Span], least: float) -> int:
    """How many pairs of a found and a true span overlap enough, the best pairs first."""
    pairs = []
    for i, (start, end, label) in enumerate(found):
        for j, (begin, stop, name) in enumerate(truth):
            both = min(end, stop) - max(start, begin)
            if name == label and both > 0 and (overlap := both / (max(end, stop) - min(start, begin))) >= least:
                pairs.append((overlap, i, j))
    taken: set[int] = set()
    hit: set[int] = set()
    for _, i, j in sorted(pairs, reverse=True):
        if i not in taken and j not in hit:
            taken.add(i)
            hit.add(j)
    return len(taken)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    joining = commands.add_parser("join")
    joining.add_argument("root", type=Path)
    joining.add_argument("--sequences", nargs="+", required=True)
    joining.add_argument("--out", type=Path, required=True)
    joining.add_argument("--minutes", type=float, default=10)
    scoring = commands.add_parser("score")
    scoring.add_argument("truth", type=Path)
    scoring.add_argument("recognized", type=Path)
    given = parser.parse_args()
    if given.command == "join":
        join(given.root, given.sequences, given.out, given.minutes)
    else:
        score(given.truth, given.recognized)
