"""What few clips a class reach: UT-Interaction, Florence 3D Actions and the demo, from scratch and from another model.

    python benchmarks/few_clips.py DATA --out FOLDER                  # skeletons alone, from scratch and from drawn
    python benchmarks/few_clips.py DATA --out FOLDER --start runs/mine --modality rgb+pose --only florence_5 demo_5

DATA has the folders ut_interaction/set1 and florence3d. Whole sequences of UT-Interaction and whole actors of Florence
are trained on, and all others are tested; which ones takes turns, so that all clips are tested. A sequence has one clip
a class, an actor about two: with 9 and about 20 clips a class, each is left out once. The demo's clips are drawn. A
single network is trained, unless --ensemble names others. All other settings are those of base/laptop.yaml.
"""

import argparse
import subprocess
import sys
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
FLORENCE = ("wave", "drink", "answer phone", "clap", "tight lace", "sit down", "stand up", "read watch", "bow")
INTERACTIONS = ("hand shaking", "hugging", "kicking", "pointing", "punching", "pushing")
TEN = frozenset(range(1, 11))
"""The sequences of UT-Interaction, and the actors of Florence."""
ONE_LEFT_OUT = [TEN - {i} for i in TEN]
SEQUENCES = {2: [{1, 2}, {4, 5}, {8, 9}], 5: [{1, 2, 3, 4, 5}, {6, 7, 8, 9, 10}], 9: ONE_LEFT_OUT}
ACTORS = {
    2: [{1}, {4}, {8}],
    5: [{1, 2}, {5, 6}, {8, 9, 10}],
    10: [{1, 2, 3, 4, 5}, {6, 7, 8, 9, 10}],
    20: ONE_LEFT_OUT,
}
DEMO = (2, 5, 10, 20)


def others(chosen: Sequence[AbstractSet[int]]) -> list[list[int]]:
    """What is tested for each choice of what is trained on."""
    return [sorted(TEN - some) for some in chosen]


def studies(args: argparse.Namespace) -> dict[str, dict[str, Any]]:
    """A manifest for each data set and number of clips a class, by names such as florence_5."""
    train = {
        "with": {"threads": 1, "model": {"modality": args.modality}, "ensemble": args.ensemble},
        "matrix": {"start_from": [None, args.start], "seed": [0]},
    }
    made = {}
    for clips, chosen in SEQUENCES.items():
        index = {
            "root": str(args.data / "ut_interaction" / "set1"),
            "pattern": "{clip}_{sequence}_{label}.avi",
            "labels": {str(i): name for i, name in enumerate(INTERACTIONS)},
        }
        made[f"ut_interaction_{clips}"] = {
            "index": {"uses": "pattern", "with": index, "matrix": {"test.sequence": others(chosen)}},
            "report": {"with": {"pool": ["test.sequence", "seed"]}},
        }
    for clips, chosen in ACTORS.items():
        index = {
            "root": str(args.data / "florence3d"),
            "pattern": "GestureRecording_Id{clip}actor{actor}idAction{action}category{label}.mp4",
            "labels": {str(i): name for i, name in enumerate(FLORENCE, start=1)},
        }
        made[f"florence_{clips}"] = {
            "index": {"uses": "pattern", "with": index, "matrix": {"test.actor": others(chosen)}},
            "report": {"with": {"pool": ["test.actor", "seed"]}},
        }
    for clips in DEMO:
        index = {"root": str(args.out / "demo_videos"), "clips_per_class": clips, "test_per_class": 12, "seed": 1}
        made[f"demo_{clips}"] = {
            "index": {"uses": "synthetic", "with": index},
            "pose": {"with": {"estimator": "hrnet_mini", "detector": "mini"}},
        }
    return {
        name: {
            "extends": str(ROOT / "manifests" / "base" / "laptop.yaml"),
            "name": name,
            "store": str(args.out / "store"),
            "runs": str(args.out / "runs"),
            "stages": {**stages, "train": train},
        }
        for name, stages in made.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--start", default="drawn")
    parser.add_argument("--modality", default="pose", choices=["pose", "rgb", "rgb+pose"])
    parser.add_argument(
        "--ensemble", nargs="+", default=[], metavar="MODALITY", help="of further networks, such as pose pose"
    )
    parser.add_argument("--only", nargs="+", metavar="ROW", help="such as ut_interaction_2; all if not given")
    args = parser.parse_args()
    args.data, args.out = args.data.absolute(), args.out.absolute()
    args.out.mkdir(parents=True, exist_ok=True)
    rows = studies(args)
    if unknown := set(args.only or ()) - set(rows):
        parser.error(f"--only: no {', '.join(sorted(unknown))}; there are {', '.join(rows)}")
    for name in args.only or rows:
        manifest = rows[name]
        path = args.out / f"{name}.yaml"
        path.write_text(yaml.safe_dump(manifest, sort_keys=False))
        subprocess.run([sys.executable, "-m", "pipeline", "run", str(path)], cwd=ROOT, check=True)
        print(name, (args.out / "runs" / name / "comparison.md").read_text())


if __name__ == "__main__":
    main()
