"""Exports networks with random weights, and compares what the files compute with what the network does.

    python benchmarks/export.py [--only demo]

Prints, for each network and format, the seconds of exporting, the file's size, the largest difference of a logit for
one clip and for three, and the standard deviation of the logits. Clips are as long as in training. What reads the file
is onnxruntime or ``torch.jit``. Each network runs in a process of its own, with one thread.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
import yaml
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1]))  # before this folder, whose recognizer.py is not the package

from recognizer.config import RecognizerConfig
from recognizer.export import FORMATS, export
from recognizer.model import Recognizer

MANIFESTS = Path(__file__).parents[1] / "manifests"
NETWORKS = {"demo": "demo.yaml", "laptop": "base/laptop.yaml", "paper": None}
CLASSES = tuple(f"class {i}" for i in range(12))
PERTURBATION = 0.02
"""Standard deviation of what is added to each weight: offsets and biases start at 0, which hides mistakes."""


def config_of(manifest: str | None) -> RecognizerConfig:
    """The network that a manifest trains; without one, the defaults, which are the paper's."""
    fields: dict[str, object] = {"class_names": CLASSES}
    if manifest:
        stages = yaml.safe_load((MANIFESTS / manifest).read_text())["stages"]
        train = stages["train"]["with"]
        fields |= {"frames": train.get("frames") or stages["decode"]["with"]["frames"], **train["model"]}
    return RecognizerConfig.model_validate(fields)


def opened(file: Path, form: str) -> Callable[[dict[str, Tensor]], Tensor]:
    """What computes logits from the inputs with a file."""
    if form == "torchscript":
        network = torch.jit.load(str(file))
        return lambda clips: network(*clips.values())
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    return lambda clips: torch.from_numpy(session.run(None, {name: clips[name].numpy() for name in clips})[0])


def measure(name: str, folder: Path) -> None:
    """Print a line for each format."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    config = config_of(NETWORKS[name])
    recognizer = Recognizer(config).eval()
    for parameter in recognizer.parameters():
        parameter.data += PERTURBATION * torch.randn_like(parameter)
    for form in ("onnx", "torchscript"):
        file = folder / f"{name}{FORMATS[form]}"
        started = time.perf_counter()
        export(recognizer, file, form, config.frames)
        seconds = time.perf_counter() - started
        network, differences = opened(file, form), []
        for count in (1, 3) if name != "paper" else (1,):  # three take more than 24 GB
            clips = {
                "frames": torch.rand(count, 3, config.frames, config.size, config.size),
                "keypoints": torch.rand(count, config.persons, config.frames, config.joints, 3),
            }
            expected = recognizer(*clips.values())
            differences.append(f"{(network(clips) - expected).abs().max():.1e}")
        size = file.stat().st_size / 1e6
        shown = " | ".join((*differences, "")[:2])
        figures = f"{seconds:.0f} s | {size:.1f} MB | {shown} | {expected.std():.2f}"
        print(f"| {name} | {form} | {figures} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=NETWORKS, help="only this network")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        with TemporaryDirectory() as folder, torch.no_grad():
            measure(options.measure, Path(folder))
        return
    print("| network | format | exporting | file | largest difference, 1 clip | 3 clips | standard deviation |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for name in [options.only] if options.only else NETWORKS:
        if code := subprocess.run([sys.executable, __file__, "--measure", name]).returncode:
            print(f"| {name} | ended with {code} |", flush=True)


if __name__ == "__main__":
    main()
