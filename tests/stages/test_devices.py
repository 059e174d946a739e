import pytest
import torch
from torch import nn

from pipeline.errors import StageError
from stages.devices import chosen_precision, compiled

CPU = torch.device("cpu")


def test_compiled_code_computes_and_draws_the_same():
    network = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5))
    x = torch.rand(3, 4)
    torch.manual_seed(1)
    expected = network(x)
    torch.manual_seed(1)
    torch.testing.assert_close(compiled(network, CPU)(x), expected)


def test_a_missing_compiler_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(StageError, match=r"compile: true needs g\+\+ or clang\+\+: install one"):
        compiled(nn.Linear(1, 1), CPU)


def test_auto_is_float32_on_cpus():
    assert chosen_precision("auto", CPU) == "fp32"
    assert chosen_precision("bf16", CPU) == "bf16"
