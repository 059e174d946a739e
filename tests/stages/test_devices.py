from pathlib import Path

import pytest
import torch
from torch import nn

from pipeline.errors import StageError
from stages.devices import chosen_precision, compiled, deterministic

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


@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="the system does not list what its CPU can do")
def test_auto_is_bfloat16_where_the_cpu_has_it():
    can = Path("/proc/cpuinfo").read_text()
    assert chosen_precision("auto", CPU) == ("bf16" if "avx512_bf16" in can or "amx_bf16" in can else "fp32")


def test_precision_can_be_set():
    assert [chosen_precision(name, CPU) for name in ("bf16", "fp32")] == ["bf16", "fp32"]


def test_determinism_ends_with_its_block_and_fills_no_memory():
    def settings() -> tuple[bool, bool]:
        return torch.are_deterministic_algorithms_enabled(), torch.utils.deterministic.fill_uninitialized_memory

    before = settings()
    with deterministic():
        assert settings() == (True, False)
    assert settings() == before
