"""Two processes, joined by gloo, against one. Those of Ray Train are in ``test_ray_workers.py``."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipeline.stage_inputs import StageContext, VariantInputs
from recognizer.config import RecognizerConfig
from recognizer.model import Recognizer
from stages.train.data_parallel import DataParallelGroup
from stages.train.stage import Train

TINY = {"width": 4, "size": 16, "heads": 2, "blocks": 2}

# Each line of the input is a script, its folder and more arguments. What is said in return is what went wrong.
SERVE = """
import json
import sys
import traceback
from contextlib import redirect_stdout
from pathlib import Path
import torch
import torch.distributed as dist
from stages.train.data_parallel import DataParallelGroup
rank = int(sys.argv[2])
torch.set_num_threads(1)
dist.init_process_group("gloo", init_method=f"file://{sys.argv[1]}/meeting", rank=rank, world_size=2)
for line in sys.stdin:
    script, folder, *arguments = json.loads(line)
    found = {"group": DataParallelGroup(rank, 2), "rank": rank, "folder": Path(folder), "arguments": arguments}
    try:
        with redirect_stdout(sys.stderr):
            exec(script, found)
    except BaseException:
        print(json.dumps(traceback.format_exc()), flush=True)
        raise  # else the other process would wait for this one
    print(json.dumps(""), flush=True)
dist.destroy_process_group()  # else its threads may still run when the interpreter ends, which aborts it now and then
"""

PARTS = """
import numpy as np
import torch
from torch import nn
from recognizer.drop_path import DropPath
from stages.train.data_parallel import SharedBatchNorm

def check(mine, whole, start, stop):
    torch.testing.assert_close(mine, whole[start:stop], rtol=1e-5, atol=1e-6)

def model():
    torch.manual_seed(0)
    norm = nn.BatchNorm3d(3)
    nn.init.normal_(norm.weight)
    return nn.Sequential(norm, nn.Dropout(0.4), DropPath(0.5), nn.Conv3d(3, 2, 2))

for clips in (5, 4, 1):  # shares of 2 and 3, 2 and 2, 0 and 1
    alone, shared = model(), model()
    for parameter in shared.parameters():
        parameter.data += rank  # of which those of the first are taken
    group.prepare(shared)
    assert isinstance(shared[0], SharedBatchNorm) and shared.state_dict().keys() == alone.state_dict().keys()
    whole = (torch.randn(clips, 3, 2, 4, 3, generator=torch.Generator().manual_seed(clips)) * 3 + 1).requires_grad_()
    start, stop = group.bounds(clips)
    mine = whole.detach()[start:stop].clone().requires_grad_()
    torch.manual_seed(1)
    expected = alone(whole)
    expected.square().sum().backward()
    torch.manual_seed(1)
    with group.batch_of(clips):
        got = shared(mine)
        got.square().sum().backward()
    check(got, expected, start, stop)
    group.all_reduce_gradients(shared.parameters())
    check(mine.grad, whole.grad, start, stop)
    for one, other in zip(shared.parameters(), alone.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, rtol=1e-5, atol=1e-5)
    for one, other in zip(shared.buffers(), alone.buffers(), strict=True):
        torch.testing.assert_close(one, other)
    check(shared.eval()(mine), alone.eval()(whole), start, stop)
assert group.all_reduce(rank + 1, 0.5) == (3, 1)
assert group.all_gather(np.full((rank + 1, 2), rank)).tolist() == [[0, 0], [1, 1], [1, 1]]
try:
    shared.train()(mine)
except RuntimeError as error:
    assert "use group.batch_of" in str(error)
else:
    raise AssertionError("noise outside of batch_of")
"""

TRAIN = """
import json
from pathlib import Path
import pyarrow.parquet as pq
from pipeline.errors import StageError
from pipeline.stage_inputs import StageContext, TableFiles, VariantInputs
from stages.train import ensemble
from stages.train.stage import Train
fit_networks = ensemble.fit_networks
ensemble.fit_networks = lambda *arguments: fit_networks(*arguments, group)
files = TableFiles(arguments, lambda path: Path(path).open("rb"))
clips = pq.read_table(folder / "clips.parquet")
for number, recipe in enumerate(json.loads((folder / "recipes.json").read_text())):
    (folder / f"{number}").mkdir(exist_ok=True)
    context = StageContext(folder / f"{number}", lambda *a, **b: None)
    try:
        row = Train(**recipe).run([VariantInputs("", clips, {"shards": files})], context).to_pylist()[0]
        said = row["history"]
    except StageError as error:
        said = json.dumps(str(error))
    (folder / f"{number}-{rank}.json").write_text(said)
"""


@pytest.fixture(scope="module")
def in_two_processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., None]]:
    """Runs scripts in the same two processes. A script finds ``group``, ``rank``, ``folder`` and ``arguments``."""
    command = [sys.executable, "-c", SERVE, str(tmp_path_factory.mktemp("meeting"))]
    processes = [
        subprocess.Popen([*command, str(rank)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for rank in (0, 1)
    ]

    def run(script: str, folder: Path, *arguments: str) -> None:
        for process in processes:
            assert process.stdin is not None
            process.stdin.write(json.dumps([script, str(folder), *arguments]) + "\n")
            process.stdin.flush()
        wrong = [process.stdout.readline() for process in processes if process.stdout is not None]
        assert [json.loads(text or '"it has ended"') for text in wrong] == ["", ""]

    yield run
    for process in processes:
        process.communicate(timeout=60)
    assert [process.returncode for process in processes] == [0, 0]


def test_shares_are_all_clips_in_order():
    clips = list("abcdefg")
    for size in (1, 2, 3, 8):
        shares = [DataParallelGroup(rank, size).share(clips) for rank in range(size)]
        assert [clip for share in shares for clip in share] == clips
        assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_norm_and_noise_of_a_share_are_those_of_the_whole_batch(in_two_processes, tmp_path):
    in_two_processes(PARTS, tmp_path)


def test_two_processes_take_the_steps_of_one(in_two_processes, made_set, tmp_path):
    """Batches of 5 of 11 clips: shares of 2 and 3, and at last of 0 and 1."""
    clips, files = made_set(16)
    common: dict[str, Any] = {"epochs": 2, "batch": 5, "threads": 1, "device": "cpu", "precision": "fp32"}
    common |= {"lr": 2e-3, "val_share": 0.1}
    noisy = TINY | {"dropout": 0.2, "drop_path": 0.3}
    start = Recognizer(RecognizerConfig(class_names=("right", "up"), frames=4, modality="pose", **TINY))
    start.save_pretrained(tmp_path / "start")
    recipes = [
        {"model": noisy | {"modality": "pose"}, "accumulate": 2, "ema": 0.9, "start_from": str(tmp_path / "start")},
        {"model": noisy | {"modality": "rgb"}, "mixup": 0.5, "layer_decay": 0.8},
        {"model": noisy, "keep": "best", "checkpoint_activations": True},
        {"model": noisy, "val_share": 0, "lr": 1e30, "warmup_epochs": 0},
    ]
    recipes = [common | recipe for recipe in recipes]
    (tmp_path / "recipes.json").write_text(json.dumps(recipes))
    pq.write_table(clips, tmp_path / "clips.parquet")
    in_two_processes(TRAIN, tmp_path, *files.paths)

    for number, recipe in enumerate(recipes[:-1]):
        (tmp_path / f"alone-{number}").mkdir()
        context = StageContext(tmp_path / f"alone-{number}", lambda done, total, **figures: None)
        table = Train(**recipe).run([VariantInputs("", clips, {"shards": files})], context)
        alone = json.loads(table["history"][0].as_py())
        assert ["start" in figures for figures in alone] == ["start_from" in recipe, False]
        for rank in (0, 1):
            together = json.loads((tmp_path / f"{number}-{rank}.json").read_text())
            for one, other in zip(together, alone, strict=True):
                assert one.pop("precision") == other.get("precision") == "fp32"
                assert one.pop("start", None) == other.get("start")
                assert one == pytest.approx({name: other[name] for name in one}, rel=1e-3)
        assert len(list((tmp_path / f"{number}" / "tensorboard").iterdir())) == 1, "the first process alone logs"
    diverged = [json.loads((tmp_path / f"{len(recipes) - 1}-{rank}.json").read_text()) for rank in (0, 1)]
    assert diverged[0] == diverged[1] and "diverged in step" in diverged[0]
    assert diverged[0].count("right/") + diverged[0].count("down/") == 5, "the clips of both shares"
