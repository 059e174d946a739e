"""Whether damaged and hostile files cost only themselves: mutated videos, manifests, lists, skeletons and checkpoints.

    python benchmarks/fuzz.py [--files 1000] [--seed 0] [--keep FOLDER]

Samples of every kind are made, bytes of them are changed, left out, repeated or cut off, and each file is read as the
stages read it, in a process with limited memory and time. What is allowed is a result or an error for the user
(PipelineError, ClipError, for checkpoints ValueError). Anything else is printed with the file's seed and, with
``--keep``, stored: another exception, a crash, a reader that takes longer than its limit, a new file outside of the
sample's folder, or a canary that a pickle in the samples writes if anything executes it.
"""

import argparse
import json
import multiprocessing
import os
import pickle
import random
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "plugins"))  # writers of samples
sys.path.insert(0, str(Path(__file__).parents[1]))  # before this folder, whose recognizer.py is not the package

import pyarrow as pa
from pose_pickles import data_set, write_pickle
from video_files import write_video
from walkers import flat, walker

from pipeline.errors import ClipError, PipelineError

SECONDS = 60.0
"""For one file, of which several seconds are imports."""
MEMORY = 6 << 30
ERRORS = (PipelineError, ClipError)


class Canary:
    """A pickle that writes a file when it is executed."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return os.system, (f"touch {self.path}",)


def samples(folder: Path) -> list[tuple[str, Path]]:
    """Good files, and bad ones that are pickles, with the kind that says how each is read."""
    canary = folder / "canary"
    found = []
    for codec, name in (("libx264", "a.mp4"), ("mpeg4", "b.avi"), ("libx264", "c.mkv"), ("mpeg2video", "d.mpg")):
        found.append(("video", write_video(folder / name, 12, codec)))
    for path in sorted((Path(__file__).parents[1] / "manifests").glob("*.yaml"))[::6]:
        shutil.copy(path, folder)
        found.append(("manifest", folder / path.name))
    (folder / "list.csv").write_text("path,label,split,start,end\na.mp4,jump,train,0,1.5\nb.avi,run,test,,\n")
    (folder / "list.jsonl").write_text('{"path": "a.mp4", "label": "jump"}\n{"path": "b.avi", "label": "run"}\n')
    (folder / "list.json").write_text(
        json.dumps([{"path": "a.mp4", "label": "jump"}, {"path": "b.avi", "label": "run"}])
    )
    found += [("list", folder / name) for name in ("list.csv", "list.jsonl", "list.json")]
    np.savez(folder / "walk.npz", keypoints=walker(12)[None], layout="coco17")
    coco = [
        {"image_id": f"{t:06}.jpg", "category_id": 1, "keypoints": flat(one), "score": 0.9}
        for t, one in enumerate(walker(12))
    ]
    (folder / "coco.json").write_text(json.dumps(coco))
    write_pickle(folder / "set.pkl", data_set({"train": ["a", "b"], "test": ["c"]}))
    (folder / "canary.pkl").write_bytes(pickle.dumps({"annotations": [Canary(canary)], "split": {}}))
    found += [("skeletons", folder / name) for name in ("walk.npz", "coco.json", "set.pkl", "canary.pkl")]
    found += [("checkpoint", path) for path in checkpoints(folder, canary)]
    return found


def checkpoints(folder: Path, canary: Path) -> list[Path]:
    """Folders of a small recognizer and a PyTorch file."""
    import torch

    from recognizer import Recognizer
    from recognizer.config import RecognizerConfig

    model = Recognizer(RecognizerConfig(class_names=("a", "b"), size=32, frames=4, width=8, blocks=1))
    model.save_pretrained(folder / "model")
    torch.save(
        {"state_dict": {"final_layer.weight": torch.zeros(17, 32, 1, 1)}, "meta": Canary(canary)}, folder / "hrnet.pth"
    )
    return [folder / "model" / "model.safetensors", folder / "model" / "config.json", folder / "hrnet.pth"]


def mutated(content: bytes, choice: random.Random) -> bytes:
    """The content with one to eight changes."""
    changed = bytearray(content)
    for _ in range(choice.randint(1, 8)):
        place = choice.randrange(len(changed) + 1)
        match choice.randrange(6):
            case 0 if place < len(changed):
                changed[place] ^= 1 << choice.randrange(8)
            case 1:
                changed[place : place + choice.randint(1, 64)] = b""
            case 2:
                changed[place:place] = choice.randbytes(choice.randint(1, 64))
            case 3:
                changed[place : place + 8] = choice.choice([b"\xff" * 8, bytes(8), b"-1", b"1e308", b"99999999"])
            case 4:
                changed[place:place] = changed[place : place + choice.randint(1, 400)]
            case 5 if choice.random() < 0.3:
                del changed[place:]
    return bytes(changed)


def read(kind: str, path: Path) -> None:
    """Read the file as a run does. Raises what a run would show to the user."""
    match kind:
        case "video":
            from stages.tables import CLIPS
            from stages.video.stage import Decode

            clips = pa.Table.from_pylist([{"clip_id": "a", "source": "1:1", "path": str(path)}], CLIPS.schema)
            Decode(frames=8, time_limit=SECONDS / 3).process(clips, {}, None)
        case "manifest":
            from pipeline.manifest import load_manifest

            load_manifest(path)
        case "list":
            from stages.sources.listing import Listing

            Listing(list=path).clips()
        case "skeletons":
            from stages.skeletons.formats import entries, read_skeletons

            names = entries(path)
            for name in [None] if names is None else list(names)[:3]:
                read_skeletons(path, name)
        case "checkpoint" if path.suffix == ".pth":
            from stages.pose.hrnet_network import load_hrnet

            load_hrnet("hrnet_w32", path, 17)
        case "checkpoint":
            from recognizer import Recognizer

            with suppress(ValueError, FileNotFoundError):  # what it promises
                Recognizer.from_pretrained(path.parent)


def attempt(kind: str, path: Path) -> str:
    """What is wrong with the reader, or nothing."""
    start = time.monotonic()
    try:
        read(kind, path)
    except ERRORS as error:
        return "" if str(error) else f"{type(error).__name__} without a text"
    except BaseException as error:
        return f"{type(error).__name__}: {str(error)[:300]}"
    taken = time.monotonic() - start
    return f"took {taken:.0f} s" if taken > SECONDS else ""


def serve(connection: Connection) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    while True:
        connection.send(attempt(*connection.recv()))


class Reader:
    """A process that reads files, replaced when it dies or hangs."""

    def __init__(self) -> None:
        self._process: multiprocessing.process.BaseProcess | None = None

    def problem(self, kind: str, path: Path) -> str:
        if self._process is None:
            self._connection, theirs = multiprocessing.get_context("spawn").Pipe()
            self._process = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
            self._process.start()
            theirs.close()
        self._connection.send((kind, path))
        try:
            if self._connection.poll(2 * SECONDS):
                return self._connection.recv()
            what = f"hung for {2 * SECONDS:.0f} s"
        except (EOFError, ConnectionResetError):
            what = "crashed its process"
        self.close()
        return what

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join(10)
            self._process = None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder for the files that went wrong")
    options = parser.parse_args()
    reader, counts, wrong = Reader(), Counter[str](), 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        good = samples(folder)
        contents = {path: path.read_bytes() for _, path in good}
        by_kind = {kind: [path for own, path in good if own == kind] for kind, _ in good}
        for seed in range(options.seed, options.seed + options.files):
            choice = random.Random(seed)
            kind = choice.choice(sorted(by_kind))
            path = choice.choice(by_kind[kind])
            path.write_bytes(mutated(contents[path], choice))
            before = set(folder.rglob("*"))
            problem = reader.problem(kind, path)
            if new := set(folder.rglob("*")) - before:
                problem = f"wrote {', '.join(sorted(str(one.relative_to(folder)) for one in new))}"
                for one in new:
                    one.unlink()
            counts[kind] += 1
            if problem:
                wrong += 1
                print(f"seed {seed}, {path.name}: {problem}", flush=True)
                if options.keep:
                    options.keep.mkdir(parents=True, exist_ok=True)
                    shutil.copy(path, options.keep / f"{seed}_{path.name}")
            path.write_bytes(contents[path])
        reader.close()
    print(f"{dict(sorted(counts.items()))}; {wrong} went wrong")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
