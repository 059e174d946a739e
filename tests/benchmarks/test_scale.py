import subprocess
import sys
from pathlib import Path

SCALE = Path(__file__).parents[2] / "benchmarks" / "scale.py"


def test_simulated_workers_carry_out_a_plan() -> None:
    command = [sys.executable, str(SCALE), "simulate", "2000", "20"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "planned 2,000 clips" in done.stdout
    assert "20 workers took " in done.stdout
