"""What a trained network attends to, class by class, over all clips that a run has predicted.

    python benchmarks/attention.py RUN [--variant NAME] [--all]

Each figure is a share of the attention of the modal tokens, followed by the share with even attention. ``people``: the
share of the attention to the points of 3D deformable attention that is inside people's boxes (even: the boxes' area).
``arms``: the share of the attention to joints that elbows and wrists get; ``legs``: the share of knees and ankles
(even: equal scores in every window). ``most``: the joints with the most attention, in multiples of their even share.
Figures are means over clips, followed by the mean difference with its standard error over clips. ``--all``: over all
clips of the index, including those of the training.
"""

import argparse
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch

# before this folder, whose recognizer.py is not the package
sys.path.insert(0, str(Path(__file__).parents[1]))

from recognizer.model import Recognizer
from recognizer.skeletons import layout
from stages.commands.explanation import open_run
from stages.explanation.attention import Share, attended, on_group, on_people


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("--variant")
    parser.add_argument("--all", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)

    opened = open_run(options.run, options.variant)
    model = opened.inputs["models"].read().to_pylist()[0]
    recognizer = Recognizer.deserialize(model["config"], model["weights"])
    rows = (opened.clips if options.all else opened.predicted).select(["clip_id", "label"]).to_pylist()
    labels = {row["clip_id"]: row["label"] or "without a label" for row in rows}
    found: dict[tuple[int, str], dict[str, list[Share]]] = defaultdict(lambda: defaultdict(list))
    joints: dict[tuple[int, str], np.ndarray] = defaultdict(lambda: np.zeros((2, recognizer.config.joints)))
    for partition in opened.inputs["shards"]:
        for i, clip_id in enumerate(partition["clip_id"].to_pylist()):
            if clip_id not in labels:
                continue
            shard = partition.slice(i, 1).to_pylist()[0]
            if shard["error"] is not None:
                continue
            clip = attended(recognizer, shard)
            for number, block in enumerate(clip.blocks, start=1):
                shares = found[number, labels[clip_id]]
                if block.joints_weight is not None and block.joints_even is not None and clip.present.any():
                    shares["arms"].append(on_group("arms", clip, block))
                    shares["legs"].append(on_group("legs", clip, block))
                    weight_R, even_R = (w.sum((0, 1)) / w.sum() for w in (block.joints_weight, block.joints_even))
                    joints[number, labels[clip_id]] += (weight_R, even_R)
                if block.points is not None and block.points_weight is not None and clip.sample.keypoints is not None:
                    shares["people"].append(on_people(clip.sample.keypoints, block.points, block.points_weight))

    columns = ("people", "arms", "legs")
    names = layout(recognizer.config.layout).joints
    print(f"{'block':<6}{'class':<18}{'clips':>6}" + "".join(f"{name:>9}{'even':>8}" for name in columns) + "  most")
    for number in sorted({number for number, _ in found}):
        everything: dict[str, list[Share]] = defaultdict(list)
        for label in sorted(label for block, label in found if block == number):
            shares = found[number, label]
            weight_R, even_R = joints[number, label]
            multiple_R = np.divide(weight_R, even_R, out=np.zeros_like(weight_R), where=even_R > 0)
            most = [f"{names[r]} {multiple_R[r]:.1f}" for r in np.argsort(-multiple_R)[:3] if multiple_R[r] > 0]
            print(f"{number:<6}{label:<18}{_line(shares, columns)}  {', '.join(most)}")
            for name, one in shares.items():
                everything[name] += one
        print(f"{number:<6}{'all':<18}{_line(everything, columns)}")
        for name, all_shares in everything.items():
            difference = [share.attention - share.even for share in all_shares]
            error = np.std(difference, ddof=1) / len(difference) ** 0.5
            print(f"      {name}: {np.mean(difference):+.3f} compared with even, standard error {error:.3f}")


def _line(shares: dict[str, list[Share]], columns: tuple[str, ...]) -> str:
    means = [np.mean(shares[name], axis=0) if shares.get(name) else (np.nan, np.nan) for name in columns]
    return f"{max(map(len, shares.values()), default=0):>6}" + "".join(f"{a:>9.3f}{e:>8.3f}" for a, e in means)


if __name__ == "__main__":
    main()
