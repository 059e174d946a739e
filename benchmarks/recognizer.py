"""Cost of the recognizer compared with torchvision's video networks and with the limits of the machine.

    python benchmarks/recognizer.py [--device cpu|cuda] [--precision bf16] [--quick] [--clock cpu] [--only NAME]
    python benchmarks/recognizer.py --parts [--device cpu|cuda]

Prints, for each network, the median time of a forward pass and of a training step (forward, backward, AdamW), clips
per second, and the peak memory that each adds to a process that has only loaded PyTorch. The floor of a forward pass
is the time for its multiply-adds at the machine's matrix rate or for its bytes at the machine's bandwidth, whichever
is longer; the floor of a training step is three times as long. Both rates are measured in the same run: the matrix
rate is that of a large matrix product or of a 3x3x3 convolution, whichever is faster. Bytes are those that modules
without submodules read and write; operations outside of such modules are not counted, so where bandwidth decides, the
floor is too low.

Each measurement runs in its own process, and each round covers all networks in turn, so that other work on the machine
affects all of them equally. ``--clock cpu`` measures CPU time of one thread, which other work disturbs less.
``--parts`` shows instead where the time of a forward pass is spent, and compares the attention modules with full
attention over the same tokens, forward and backward, without the feed-forward networks after them.
"""

import argparse
import json
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import torch
import torch.nn.functional as F
import yaml
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from torchvision.models import video

sys.path.insert(0, str(Path(__file__).parents[1]))  # before this folder, whose recognizer.py is not the package

from recognizer.config import RecognizerConfig
from recognizer.model import Recognizer

MANIFESTS = Path(__file__).parents[1] / "manifests"
CLASSES = tuple(f"class {i}" for i in range(60))

Case = tuple[Callable[[], nn.Module], tuple[tuple[int, ...], ...]]
"""A function that builds the network, and the shapes of its inputs without the batch."""


def ours(manifest: str, joints: int, persons: int) -> Case:
    """The recognizer that a manifest trains."""
    stages = yaml.safe_load((MANIFESTS / manifest).read_text())["stages"]
    train = stages["train"].get("with", {})
    frames = train.get("frames") or stages.get("decode", {}).get("with", {}).get("frames", 12)
    config = RecognizerConfig.model_validate({"class_names": CLASSES, "frames": frames} | train.get("model", {}))
    shapes = (3, frames, config.size, config.size), (persons, frames, joints, 3)
    return lambda: Recognizer(config), shapes


def torchvisions(name: str, frames: int, size: int) -> Case:
    return lambda: getattr(video, name)(num_classes=len(CLASSES)), ((3, frames, size, size),)


def cases(quick: bool) -> dict[str, Case]:
    """All networks by name: laptop size, and the size of the paper."""
    found = {
        "demo (8x64x64, R=17, M=1)": ours("demo.yaml", 17, 1),
        "laptop (12x96x96, R=17, M=2)": ours("base/laptop.yaml", 17, 2),
    }
    found |= {f"{name} (12x96x96)": torchvisions(name, 12, 96) for name in ("swin3d_t", "r3d_18", "mc3_18")}
    if not quick:
        for name in ("paper", "fast"):
            for joints, persons in ((13, 1), (13, 2), (50, 1), (50, 2)):
                found[f"{name} (R={joints}, M={persons})"] = ours(f"base/{name}.yaml", joints, persons)
        found |= {name: torchvisions(name, 12, 224) for name in ("swin3d_t", "r3d_18", "mc3_18")}
        found["mvit_v2_s (16 frames)"] = torchvisions("mvit_v2_s", 16, 224)
    return found


def work(model: nn.Module, inputs: list[Tensor], dtype: torch.dtype) -> tuple[int, int]:
    """Multiply-adds of a forward pass, and the bytes that modules without submodules read and write if all their
    numbers are of this type."""
    total = 0

    def count(module: nn.Module, given: tuple[Any, ...], result: Any) -> None:
        nonlocal total
        for tensor in (*given, result, *module.parameters(recurse=False)):
            total += tensor.numel() * dtype.itemsize if isinstance(tensor, Tensor) else 0

    layers = [module for module in model.modules() if not list(module.children())]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    model.eval().requires_grad_(False)
    with FlopCounterMode(display=False) as counter:
        model(*inputs)
    for hook in hooks:
        hook.remove()
    return counter.get_total_flops() // 2, total


class Stopwatch:
    """Measures work on a device in seconds of wall time or CPU time."""

    def __init__(self, device: torch.device, clock: str) -> None:
        self.device = device
        self.now = time.process_time if clock == "cpu" else time.perf_counter

    def seconds(self, work: Callable[[], object]) -> float:
        self.wait()
        started = self.now()
        work()
        self.wait()
        return self.now() - started

    def median(self, work: Callable[[], object], rounds: int) -> float:
        """The median after one round of warm-up."""
        work()
        return median(self.seconds(work) for _ in range(rounds))

    def wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()


def machine_rates(watch: Stopwatch, dtype: torch.dtype) -> dict[str, float]:
    """Multiply-adds per second of a matrix product and of a convolution, and bytes per second of a copy."""
    device = watch.device
    side = 2048 if device.type == "cpu" else 8192
    a = torch.rand(side, side, device=device, dtype=dtype)
    conv = nn.Conv3d(64, 64, 3, padding=1, bias=False).to(device, dtype, memory_format=torch.channels_last_3d)
    x = torch.rand(1, 64, 12, 56, 56, device=device, dtype=dtype).contiguous(memory_format=torch.channels_last_3d)
    big = torch.rand(2**26 if device.type == "cpu" else 2**29, device=device)
    copy = torch.empty_like(big)
    with torch.inference_mode():
        return {
            "matrix product": side**3 / watch.median(lambda: a @ a, 9),
            "convolution": x.numel() * 64 * 27 / watch.median(lambda: conv(x), 9),
            "bandwidth": 2 * big.nbytes / watch.median(lambda: copy.copy_(big), 9),
        }


def measure(case: Case, task: str, batch: int, watch: Stopwatch, dtype: torch.dtype, rounds: int) -> dict[str, float]:
    """Time and peak memory of one network, measured in a fresh process."""
    make, shapes = case
    device = watch.device
    idle = rss()
    torch.manual_seed(0)
    model = make().to(device)
    inputs = [torch.rand(batch, *shape, device=device) for shape in shapes]
    labels = torch.zeros(batch, dtype=torch.long, device=device)
    mixed = torch.autocast(device.type, dtype, enabled=dtype != torch.float32)
    optimizer = torch.optim.AdamW(model.parameters())

    def forward() -> None:
        with torch.inference_mode(), mixed:
            model(*inputs)

    def step() -> None:
        with mixed:
            loss = F.cross_entropy(model(*inputs), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    model.train(task == "train")
    seconds = watch.median(forward if task == "forward" else step, rounds)
    cuda = device.type == "cuda"
    return {"seconds": seconds, "bytes": torch.cuda.max_memory_allocated() if cuda else rss("VmHWM") - idle}


def rss(field: str = "VmRSS") -> int:
    """Current (VmRSS) or peak (VmHWM) memory of this process; ``getrusage`` would include the parent's."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status[field].split()[0]) * 1024


def table(options: argparse.Namespace, watch: Stopwatch, dtype: torch.dtype) -> None:
    """Measure all networks in turn and print the results."""
    chosen = {name: case for name, case in cases(options.quick).items() if options.only in name}
    found: dict[tuple[str, str], list[dict[str, float]]] = defaultdict(list)
    rates: dict[str, list[float]] = defaultdict(list)
    for _ in range(options.rounds):
        for name, rate in machine_rates(watch, dtype).items():
            rates[name].append(rate)
        for name in chosen:
            for task in ("forward", "train"):
                command = [sys.executable, __file__, *sys.argv[1:], "--measure", name, task]
                found[name, task].append(json.loads(subprocess.check_output(command, text=True)))
    rate = {name: median(values) for name, values in rates.items()}
    matrix_rate = max(rate["matrix product"], rate["convolution"])
    print(
        f"{watch.device.type}, {torch.get_num_threads()} threads, {options.clock} time, {dtype}, batch {options.batch}"
    )
    print(
        f"matrix product {rate['matrix product'] / 1e9:.0f}, convolution {rate['convolution'] / 1e9:.0f} "
        f"G multiply-adds/s; bandwidth {rate['bandwidth'] / 1e9:.0f} GB/s"
    )
    print(f"{'':38}{'G mult-adds':>11} | {'forward':>34} | {'training step':>34}")
    print(f"{'':38}{'per clip':>11}" + f" | {'ms':>8}{'clips/s':>9}{'MB':>8}{'x floor':>9}" * 2)
    for name, (make, shapes) in chosen.items():
        with torch.device("meta"):
            multiply_adds, moved = work(make(), [torch.empty(1, *shape) for shape in shapes], dtype)
        floor = options.batch * max(multiply_adds / matrix_rate, moved / rate["bandwidth"])
        line = f"{name:38}{multiply_adds / 1e9:11.2f}"
        for task, passes in (("forward", 1), ("train", 3)):
            seconds = median(result["seconds"] for result in found[name, task])
            memory = median(result["bytes"] for result in found[name, task])
            line += f" | {seconds * 1e3:8.1f}{options.batch / seconds:9.2f}{memory / 1e6:8.0f}"
            line += f"{seconds / floor / passes:9.2f}"
        print(line)


@contextmanager
def timed(model: Recognizer, names: list[str], watch: Stopwatch, spent: dict[str, float]) -> Iterator[None]:
    """Sum the seconds that the named parts take."""
    started: dict[str, float] = {}

    def start(name: str) -> None:
        watch.wait()
        started[name] = watch.now()

    def stop(name: str) -> None:
        watch.wait()
        spent[name] += watch.now() - started[name]

    parts = [(name, model.get_submodule(name)) for name in names]
    hooks = [part.register_forward_pre_hook(lambda *_, name=name: start(name)) for name, part in parts]
    hooks += [part.register_forward_hook(lambda *_, name=name: stop(name)) for name, part in parts]
    yield
    for hook in hooks:
        hook.remove()


def shares(watch: Stopwatch, rounds: int) -> None:
    """Print the share of each part in a forward pass at paper size, R = 50 and M = 2."""
    make, shapes = ours("base/paper.yaml", 50, 2)
    model = make().to(watch.device).eval()
    assert isinstance(model, Recognizer)
    inputs = [torch.rand(1, *shape, device=watch.device) for shape in shapes]
    names = ["backbone.stem", "backbone.layer1", "backbone.layer2", "backbone.layer3", "joint_tokens"]
    for depth in range(len(model.blocks)):
        names += [f"blocks.{depth}.{part}" for part in ("deformable", "deformable.search", "joint", "temporal")]
    names.append("head")
    found: dict[str, list[float]] = defaultdict(list)
    with torch.inference_mode():
        model(*inputs)
        for _ in range(rounds):
            spent: dict[str, float] = defaultdict(float)
            with timed(model, names, watch, spent):
                whole = watch.seconds(lambda: model(*inputs))
            for name in names:
                found[name].append(spent[name] / whole)
    print("share of a forward pass at paper size, R=50, M=2")
    for name in names:
        print(f"  {name:28}{median(found[name]):8.2%}")


def against_full_attention(watch: Stopwatch, rounds: int) -> None:
    """Print how much faster each attention module is than full attention over the same tokens."""
    make, _ = ours("base/paper.yaml", 50, 2)
    model = make().to(watch.device)
    assert isinstance(model, Recognizer)
    block, dim = model.blocks[0], model.config.dim

    def tokens(*shape: int) -> Tensor:
        return torch.randn(1, *shape, dim, device=watch.device, requires_grad=True)

    grid, per_frame, joints = torch.Size((12, 28, 28)), 28 * 28 + 13 + 3, 100
    x, n, p, m = tokens(grid.numel() + 24), tokens(12, per_frame), tokens(joints, 12), tokens(24)
    nothing = m[:, :0]
    everything = torch.ones(1, joints, 12, dtype=torch.bool, device=watch.device)
    deformable, temporal, joint = block.deformable, block.temporal, block.joint
    pairs = {
        "3D deformable": (
            lambda: deformable._attend(x, grid),
            lambda: deformable.attention(x, x),
        ),
        "temporal stride, window 4, R=13": (
            lambda: temporal.windows(n, nothing)[0],
            lambda: temporal.windows.attention(n.flatten(1, 2), n.flatten(1, 2)),
        ),
        "joint stride, window 4, R=50, M=2": (
            lambda: joint.windows(p, m, everything)[0],
            lambda: joint.windows.attention(torch.cat([p.flatten(1, 2), m], 1), torch.cat([p.flatten(1, 2), m], 1)),
        ),
    }
    print("forward and backward at paper size")
    for name, (module, full) in pairs.items():
        both = [[watch.seconds(lambda f=f: f().sum().backward()) for f in (module, full)] for _ in range(rounds + 1)]
        ratio = median(slow / fast for fast, slow in both[1:])
        milliseconds = [median(column) * 1e3 for column in zip(*both[1:], strict=True)]
        print(
            f"  {name:34}{milliseconds[0]:9.1f} ms, full attention{milliseconds[1]:9.1f} ms:{ratio:6.2f} times faster"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto")
    parser.add_argument("--clock", choices=["wall", "cpu"], default="wall", help="cpu: CPU time of one thread")
    parser.add_argument("--quick", action="store_true", help="only laptop sizes")
    parser.add_argument("--parts", action="store_true", help="parts of the recognizer instead of whole networks")
    parser.add_argument("--precision", choices=["fp32", "bf16"], help="default: bf16 on GPUs, fp32 on CPUs")
    parser.add_argument("--only", default="", help="only networks whose name contains this")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--measure", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    name = options.device if options.device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
    if options.clock == "cpu":
        if name == "cuda":
            parser.error("--clock cpu cannot measure a GPU")
        torch.set_num_threads(1)
    watch = Stopwatch(torch.device(name), options.clock)
    dtype = torch.bfloat16 if (options.precision or ("fp32" if name == "cpu" else "bf16")) == "bf16" else torch.float32
    if options.measure:
        name, task = options.measure
        print(json.dumps(measure(cases(options.quick)[name], task, options.batch, watch, dtype, rounds=3)))
    elif options.parts:
        shares(watch, options.rounds)
        against_full_attention(watch, options.rounds)
    else:
        table(options, watch, dtype)


if __name__ == "__main__":
    main()
