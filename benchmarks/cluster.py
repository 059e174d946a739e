"""A cluster whose machines share nothing but an S3-compatible server, and are killed while they work.

    python benchmarks/cluster.py [--rounds 20] [--seed 0]

Four nodes of Ray run on this machine: a head without CPUs, from which the run is started, and three with one CPU
each. Each of these has mounts of its own (`unshare`, for the user root): what one writes to the working folder, the
others do not see. Drawn videos are read from s3:// and the results written there, up to a trained and evaluated
model. Each round has a new store. While it runs, nodes are killed at random moments and replaced. Then all results
must have the bytes of those of a run in one process. In every second round the head is killed first; on a new
cluster, the same command must do nothing again but what had been in hand. Prints a line for each round; exit code 1
if one ended wrong.
"""

import argparse
import os
import random
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import psutil
import ray
import s3fs

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "plugins")]  # before this folder, whose recognizer.py is no package

from s3_server import s3_server  # noqa: E402

MANIFEST = """
extends: {demo}
name: {name}
store: {store}
runs: {runs}
partition: 3
stages:
  index:
    uses: folder
    with: {{root: "s3://bucket/videos"}}
  train:
    with: {{epochs: 1, threads: 1}}
"""
COMMAND = [sys.executable, "-m", "pipeline", "run"]
LIMIT = 900.0
"""Seconds that a run may take."""
START = 240.0
"""Seconds that a cluster may take to start."""
CPUS = 3
MEMORY = 100_000_000
"""Bytes for objects; none are large."""


class Cluster:
    """A head and as many nodes as it should have CPUs."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        host = ray.util.get_node_ip_address()
        self.address = f"{host}:{port}"
        self.head = self._start(f"--head --port={port} --num-cpus=0 --include-dashboard=false")
        wait_until(lambda: answers(host, port), "the head does not answer")
        self.nodes = [self.joined() for _ in range(CPUS)]

    def joined(self) -> subprocess.Popen:
        return self._start(f"--address={self.address} --num-cpus=1")

    def _start(self, arguments: str) -> subprocess.Popen:
        node = f"{Path(sys.executable).parent}/ray start {arguments} --object-store-memory={MEMORY} --block"
        places = [] if "--head" in arguments else [self.folder, "/tmp/ray"]
        own = "".join(f"mount -t tmpfs none {place} && " for place in places)
        return subprocess.Popen(
            ["unshare", "--mount", "bash", "-c", f"{own}exec {node}"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def wait(self) -> None:
        """Until all nodes have joined."""
        script = f"import ray; ray.init(address={self.address!r}, log_to_driver=False); print(ray.cluster_resources())"

        def joined() -> bool:
            said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=START).stdout
            return f"'CPU': {CPUS}.0" in said

        wait_until(joined, "the nodes have not joined")

    def lose(self, choice: random.Random) -> None:
        """Kill one of the nodes, and let another join."""
        lost = self.nodes.pop(choice.randrange(len(self.nodes)))
        end(lost)
        self.nodes.append(self.joined())

    def close(self) -> None:
        for node in (self.head, *self.nodes):
            end(node)


def wait_until(is_so: Callable[[], bool], trouble: str) -> None:
    last = time.monotonic() + START
    while not is_so():
        if time.monotonic() > last:
            raise RuntimeError(trouble)
        time.sleep(0.5)


def answers(host: str, port: int) -> bool:
    with socket.socket() as asked:
        return asked.connect_ex((host, port)) == 0


def end(process: subprocess.Popen) -> None:
    """Kill a node: all its processes at once."""
    try:
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for one in family:
        try:
            one.kill()
        except psutil.NoSuchProcess:
            continue
    process.wait(60)


def draw(folder: Path) -> None:
    """Videos of the demo's people, in folders of splits and classes; copied to the bucket."""
    from stages.sources.synthetic import Synthetic

    Synthetic(root=folder / "drawn", clips_per_class=2, test_per_class=1, seed=2, with_skeletons=0).create()
    files = s3fs.S3FileSystem()
    files.put(f"{folder}/drawn/", "bucket/videos", recursive=True)


def objects(store: str) -> dict[str, bytes]:
    """The results in a store, by stage and key."""
    files = s3fs.S3FileSystem()
    files.invalidate_cache()
    paths = [path for path in files.find(store) if path.endswith(".parquet")]
    return {path.removeprefix(f"{store}/"): content for path, content in files.cat(paths).items()} if paths else {}


def written(log: Path, store: str) -> Counter[str]:
    """How often each result of a store was written."""
    lines = (line.split() for line in log.read_text().splitlines())
    return Counter(
        path.removeprefix(f"/{store}/")
        for method, path, *_ in lines
        if method == "PUT" and path.startswith(f"/{store}/") and path.endswith(".parquet")
    )


def start(folder: Path, name: str, *options: str) -> subprocess.Popen:
    path = folder / f"{name}.yaml"
    text = MANIFEST.format(
        demo=ROOT / "manifests" / "demo.yaml", name=name, store=f"s3://bucket/{name}", runs=folder / "runs"
    )
    path.write_text(text)
    log = (folder / f"{name}.log").open("a")
    return subprocess.Popen([*COMMAND, str(path), *options], cwd=folder, stdout=log, stderr=subprocess.STDOUT)


def one_round(
    number: int, folder: Path, cluster: Cluster, log: Path, choice: random.Random, head: bool
) -> tuple[Cluster, str]:
    """What happened, and the cluster as it is then."""
    name = f"round-{number}"
    began = time.monotonic()
    run = start(folder, name, "--ray-address", cluster.address)
    kills, again = 0, ""
    while run.poll() is None and time.monotonic() < began + LIMIT:
        until = time.monotonic() + choice.uniform(5, 30)
        while run.poll() is None and time.monotonic() < until:
            time.sleep(0.2)
        if run.poll() is None and kills < 3:
            kills += 1
            if head and not again:
                cluster.close()
                run.wait(LIMIT)
                before = written(log, f"bucket/{name}")
                cluster = Cluster(folder, int(cluster.address.rpartition(":")[2]) + 1)
                cluster.wait()
                run = start(folder, name, "--ray-address", cluster.address)
                again = f", the head killed after {before.total()} results"
            else:
                cluster.lose(choice)
    if run.poll() is None:
        run.send_signal(signal.SIGKILL)
        run.wait()
    times = written(log, f"bucket/{name}")
    twice = times.total() - len(times)
    seconds = time.monotonic() - began
    return cluster, f"{seconds:.0f} s, exit code {run.returncode}, {kills} killed{again}, {twice} results written twice"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    wrong = 0
    with tempfile.TemporaryDirectory() as temporary:
        folder, log = Path(temporary) / "work", Path(temporary) / "requests.txt"
        folder.mkdir()
        os.environ |= {"PYTHONPATH": str(ROOT), "RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(16)}
        with s3_server(log=log) as variables:
            os.environ |= variables
            draw(folder)
            began = time.monotonic()
            code = start(folder, "alone", "--executor", "local").wait(LIMIT)
            expected = objects("bucket/alone")
            print(f"alone: {time.monotonic() - began:.0f} s, exit code {code}, {len(expected)} results", flush=True)
            cluster = Cluster(folder, 26379)
            try:
                cluster.wait()
                for number in range(options.rounds):
                    head = number % 2 == 1
                    choice = random.Random(options.seed + number)
                    cluster, happened = one_round(number, folder, cluster, log, choice, head)
                    found = objects(f"bucket/round-{number}")
                    same = "equal" if found == expected else "DIFFERENT"
                    wrong += found != expected or "exit code 0" not in happened
                    print(f"round {number}: {happened}; {len(found)} results, {same} bytes", flush=True)
                    if found != expected:
                        print((folder / f"round-{number}.log").read_text()[-2000:], flush=True)
            finally:
                cluster.close()
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
