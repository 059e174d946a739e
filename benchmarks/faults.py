"""Whether results survive whatever happens to runs: a harness that disturbs them for as long as it is told.

    python benchmarks/faults.py [--rounds 200] [--minutes 30] [--seed 0]

Each round runs a manifest of small stages in a new folder and disturbs the run: its process or its worker is killed or
interrupted, results are cut off or changed by single bits, the store's files cannot be read or written for a moment or
the disk is full, two runs and ``pipeline clean`` work at once, the clock is set back or forward meanwhile, and the list
of clips is edited while it is used. Then an undisturbed run has to end with the rows and the figures of a run that
nothing happened to. What does not is printed with the round's seed, and the exit code is 1.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import psutil
import pyarrow.parquet as pq

ROOT = Path(__file__).parents[1]
CLIPS = 40
MANIFEST = """
name: toy
store: {store}
runs: {folder}/runs
partition: 4
stages:
  index: {{uses: "toy_stages:Numbers", with: {{file: {folder}/clips.txt}}}}
  double: {{uses: "toy_stages:Double", needs: index, with: {{slow: 0.01}}}}
  add: {{uses: "toy_stages:Add", needs: double, with: {{slow: 0.01}}}}
  total: {{uses: "toy_stages:Total", needs: add, with: {{slow: 0.1}}}}
  share: {{uses: "toy_stages:Share", needs: [add, total], with: {{split: test}}}}
  summary: {{uses: "toy_stages:Summary", needs: [total, share]}}
"""
STAGES = ("double", "add", "total", "share", "summary")
RUN = """
import sys

if __name__ == "__main__":
    try:
        from pipeline.child_executor import ChildExecutor
        from pipeline.errors import PipelineError
        from pipeline.manifest import load_manifest
        from pipeline.runs import run

        result = run(load_manifest(sys.argv[1], sys.argv[2:]), executor=ChildExecutor())
    except KeyboardInterrupt:
        sys.exit(130)
    except PipelineError as error:
        sys.exit(f"pipeline: {error}")
    sys.exit(0 if result.succeeded and not result.errors else 1)
"""
IN_EACH_PROCESS = """
import os
import time

import fsspec

fsspec.register_implementation("faulty", "faulty_files.FaultyFileSystem")
if step := float(os.environ.get("CLOCK_STEP", 0)):
    true_time, moment = time.time, float(os.environ["CLOCK_STEP_AT"])
    time.time = lambda: true_time() + step * (time.monotonic() >= moment)
"""
LIMIT = 120.0
"""Seconds that any command may take."""


class Round:
    """One folder with a manifest, and what happens to it."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self.choice = random.Random(seed)
        self.seed = seed
        self.processes: list[subprocess.Popen] = []
        (folder / "sitecustomize.py").write_text(IN_EACH_PROCESS)
        (folder / "run.py").write_text(RUN)
        self.write_clips()
        for name, store in (("toy", f"{folder}/store"), ("faulty", f"faulty://{folder}/store")):
            (folder / f"{name}.yaml").write_text(MANIFEST.format(folder=folder, store=store))

    def write_clips(self, count: int = CLIPS) -> None:
        text = "".join(f"clip-{n} {n * 3 + count - CLIPS}\n" for n in range(count))
        temporary = self.folder / "clips.tmp"
        temporary.write_text(text)
        temporary.replace(self.folder / "clips.txt")

    def start(self, *command: str, **environment: str) -> subprocess.Popen:
        places = [str(self.folder), str(ROOT), str(ROOT / "tests" / "pipeline"), str(ROOT / "tests" / "plugins")]
        process = subprocess.Popen(
            [sys.executable, *command],
            env=os.environ | {"PYTHONPATH": os.pathsep.join(places), "FAULTY_SEED": str(self.seed)} | environment,
            cwd=self.folder,
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=(self.folder / "errors.txt").open("a"),
        )
        self.processes.append(process)
        return process

    def run(self, manifest: str = "toy.yaml", **environment: str) -> subprocess.Popen:
        return self.start("run.py", manifest, **environment)

    def wait(self) -> list[int]:
        """Exit codes of all that was started."""
        codes = [process.wait(LIMIT) for process in self.processes]
        self.processes.clear()
        return codes

    def pause(self) -> None:
        time.sleep(self.choice.uniform(0.3, 4.0))

    def kill_run(self) -> None:
        process = self.run()
        self.pause()
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)

    def interrupt_run(self) -> None:
        process = self.run()
        self.pause()
        if process.poll() is None:
            process.send_signal(self.choice.choice([signal.SIGINT, signal.SIGTERM]))

    def kill_worker(self) -> None:
        process = self.run()
        self.pause()
        try:
            for child in psutil.Process(process.pid).children():
                child.kill()
        except psutil.NoSuchProcess:
            pass  # the run has ended, or the worker has

    def damage_results(self) -> None:
        """Those of one stage; what came of them is lost, since a result that nobody reads again is nobody's input."""
        self.run().wait(LIMIT)
        damaged = self.choice.randrange(STAGES.index("share"))  # nothing reads those of share
        for stage in STAGES[damaged + 1 :]:
            for path in (self.folder / "store" / stage).glob("*.parquet"):
                path.unlink()
        files = sorted((self.folder / "store" / STAGES[damaged]).glob("*.parquet"))
        for path in self.choice.sample(files, min(3, len(files))):
            content = bytearray(path.read_bytes())
            if self.choice.random() < 0.5:
                content = content[: self.choice.randrange(len(content))]
            else:
                content[self.choice.randrange(len(content))] ^= 1 << self.choice.randrange(8)
            path.write_bytes(content)

    def fail_reads(self) -> None:
        self.run("faulty.yaml", FAULTY_READS="0.1")

    def fail_writes(self) -> None:
        self.run("faulty.yaml", FAULTY_WRITES="0.1")

    def run_twice_and_clean(self) -> None:
        self.run()
        self.run()
        self.pause()
        self.start("-m", "pipeline", "clean", "toy.yaml", "--yes")

    def step_clock(self) -> None:
        """Two runs and a cleaning, for which it is suddenly earlier or later: by a second, an hour, or ten days."""
        step = self.choice.choice([1, 3600, 864_000]) * self.choice.choice([-1, 1])
        moment = time.monotonic() + self.choice.uniform(0.5, 4.0)
        clock = {"CLOCK_STEP": str(step), "CLOCK_STEP_AT": str(moment)}
        self.run(**clock)
        self.run(**clock)
        self.pause()
        self.start("-m", "pipeline", "clean", "toy.yaml", "--yes", **clock)

    def edit_clips(self) -> None:
        self.run()
        for _ in range(3):
            self.pause()
            self.write_clips(self.choice.randint(CLIPS - 5, CLIPS + 5))

    def figures(self) -> dict[str, str]:
        """What the undisturbed end is compared by: the results that are planned, and the exported total."""
        listed = subprocess.run(
            [sys.executable, "-c", PLANNED, str(self.folder / "toy.yaml")],
            env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests" / "pipeline")])},
            capture_output=True,
            text=True,
            check=True,
            timeout=LIMIT,
        )
        paths = [self.folder / "store" / line for line in listed.stdout.split()]
        paths.append(self.folder / "runs" / "toy" / "total.json")
        return {str(path.relative_to(self.folder)): content_of(path) for path in paths}


PLANNED = """
import sys
from pipeline.manifest import load_manifest
from pipeline.runs import plan_run

for name, node in plan_run(load_manifest(sys.argv[1])).nodes.items():
    for key in node.keys:
        if key and name != "index":
            print(f"{name}/{key}.parquet")
"""


def content_of(path: Path) -> str:
    """The rows of a result: a changed bit in bytes that mean nothing, or that nobody reads, is no other result."""
    return str(pq.read_table(path).to_pylist()) if path.suffix == ".parquet" else path.read_text()


def undisturbed(one: Round) -> dict[str, str]:
    """The files and figures after a last run. Raises RuntimeError if it fails."""
    one.write_clips()
    code = one.run().wait(LIMIT)
    one.processes.clear()
    if code:
        raise RuntimeError(f"the last run ended with {code}: {(one.folder / 'errors.txt').read_text()[-2000:]}")
    return one.figures()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        expected = undisturbed(Round(Path(folder), 0))
    end, happened, wrong = time.monotonic() + 60 * options.minutes, Counter[str](), 0
    for seed in range(options.seed, options.seed + options.rounds):
        if time.monotonic() > end:
            break
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            one = Round(Path(folder), seed)
            faults: list[Callable[[], None]] = [
                one.kill_run, one.interrupt_run, one.kill_worker, one.damage_results, one.fail_reads, one.fail_writes,
                one.run_twice_and_clean, one.step_clock, one.edit_clips,
            ]  # fmt: skip
            chosen = one.choice.choices(faults, k=one.choice.randint(1, 3))
            names = [fault.__name__ for fault in chosen]
            try:
                for fault in chosen:
                    fault()
                    one.wait()
                found = undisturbed(one)
                different = sorted(
                    name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name)
                )
                problem = f"other content: {', '.join(different)}" if different else ""
                if "Traceback" in (errors := (one.folder / "errors.txt").read_text()):
                    problem += f" a traceback: {errors[-500:]}"
            except (RuntimeError, OSError, subprocess.SubprocessError) as error:
                problem = str(error)
            for process in one.processes:
                process.kill()
        happened.update(names)
        if problem:
            wrong += 1
            print(f"round {seed}: {' then '.join(names)}: {problem}", flush=True)
    rounds = ", ".join(f"{name} {count}" for name, count in sorted(happened.items()))
    print(f"{happened.total()} disturbances ({rounds}); {wrong} rounds ended wrong")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
