"""What few clips a class reach: UT-Interaction, Florence 3D Actions and the demo, from scratch and from another model.

    python benchmarks/few_clips.py DATA --out FOLDER                  # skeletons alone, from scratch and from drawn
    python benchmarks/few_clips.py DATA --out FOLDER --start runs/mine --modality rgb+pose

DATA has the folders ut_interaction/set1 and florence3d. Whole sequences of UT-Interaction and whole actors of Florence
are trained on, and all others are tested; which ones takes turns, so that all clips are tested. A sequence has one clip
a class, an actor about two. All other settings are those of base/laptop.yaml.
"""

import argparse
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
FLORENCE = ("wave", "drink", "answer phone", "clap", "tight lace", "sit down", "stand up", "read watch", "bow")
INTERACTIONS = ("hand shaking", "hugging", "kicking", "pointing", "punching", "pushing")
SEQUENCES = {2: [[1, 2], [4, 5], [8, 9]], 5: [[1, 2, 3, 4, 5], [6, 7, 8, 9, 10]]}
ACTORS = {2: [[1], [4], [8]], 5: [[1, 2], [5, 6], [8, 9, 10]], 10: [[1, 2, 3, 4, 5], [6, 7, 8, 9, 10]]}
DEMO = (2, 5, 10, 20)


def others(chosen: list[list[int]]) -> list[list[int]]:
    """What is tested, of ten, for each choice of what is trained on."""
    return [[i for i in range(1, 11) if i not in some] for some in chosen]


def studies(args: argparse.Namespace) -> dict[tuple[str, int], dict[str, Any]]:
    """A manifest for each data set and number of clips a class."""
    train = {
        "with": {"threads": 1, "model": {"modality": args.modality}},
        "matrix": {"start_from": [None, args.start], "seed": [0]},
    }
    made = {}
    for clips, chosen in SEQUENCES.items():
        index = {
            "root": str(args.data / "ut_interaction" / "set1"),
            "pattern": "{clip}_{sequence}_{label}.avi",
            "labels": {str(i): name for i, name in enumerate(INTERACTIONS)},
        }
        made["UT-Interaction", clips] = {
            "index": {"uses": "pattern", "with": index, "matrix": {"test.sequence": others(chosen)}},
            "report": {"with": {"pool": ["test.sequence", "seed"]}},
        }
    for clips, chosen in ACTORS.items():
        index = {
            "root": str(args.data / "florence3d"),
            "pattern": "GestureRecording_Id{clip}actor{actor}idAction{action}category{label}.mp4",
            "labels": {str(i): name for i, name in enumerate(FLORENCE, start=1)},
        }
        made["Florence", clips] = {
            "index": {"uses": "pattern", "with": index, "matrix": {"test.actor": others(chosen)}},
            "report": {"with": {"pool": ["test.actor", "seed"]}},
        }
    return {
        key: {
            "extends": str(ROOT / "manifests" / "base" / "laptop.yaml"),
            "name": f"{key[0].lower()}_{key[1]}",
            "store": str(args.out / "store"),
            "runs": str(args.out / "runs"),
            "stages": {**stages, "train": train},
        }
        for key, stages in made.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--start", default="drawn")
    parser.add_argument("--modality", default="pose", choices=["pose", "rgb", "rgb+pose"])
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for (name, clips), manifest in studies(args).items():
        path = args.out / f"{manifest['name']}.yaml"
        path.write_text(yaml.safe_dump(manifest, sort_keys=False))
        subprocess.run([sys.executable, "-m", "pipeline", "run", str(path)], cwd=ROOT, check=True)
        print(name, clips, (args.out / "runs" / manifest["name"] / "comparison.md").read_text())


if __name__ == "__main__":
    main()
