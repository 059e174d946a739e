"""The machines of the running Ray, and what each has."""

import time
from typing import Any

from pipeline.output import left_by
from pipeline.stage import Resources

FRESH = 1.0
"""Seconds for which an answer of Ray is used again: to ask for every job would take longer than to submit it."""
PING = 10.0
"""Seconds in which a machine starts a process."""


class Machines:
    """What Ray last said of them."""

    def __init__(self) -> None:
        self._up: list[dict[str, float]] = []
        self.here: dict[str, float] = {}
        """The resources of the machine of this process."""
        self._asked = float("-inf")

    def look_again(self) -> None:
        """Ask Ray now: a machine may just have been lost."""
        import ray

        up = {node["NodeID"]: node["Resources"] for node in ray.nodes() if node["Alive"]}
        self._up, self.here = list(up.values()), up.get(ray.get_runtime_context().get_node_id(), {})
        self._asked = time.monotonic()

    @property
    def up(self) -> list[dict[str, float]]:
        """The resources of each machine that is up."""
        if time.monotonic() - self._asked > FRESH:
            self.look_again()
        return self._up

    def all_together(self, kind: str) -> float:
        """How much of ``CPU`` or ``GPU`` all machines have."""
        return sum(machine.get(kind, 0) for machine in self.up)

    def most(self, kind: str) -> float:
        """How much the machine has that has most."""
        return max((machine.get(kind, 0) for machine in self.up), default=0)


def places(machine: dict[str, float], worker: Resources) -> int:
    """How often a machine has what a stage occupies; once if that is nothing."""
    wanted = {"CPU": worker.num_cpus, "GPU": worker.num_gpus}
    return min((int(machine.get(kind, 0) // amount) for kind, amount in wanted.items() if amount), default=1)


def is_gone(node_id: str) -> bool:
    """Whether a machine no longer answers. Ray itself says so only after some seconds, unless it was shut down."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    there = NodeAffinitySchedulingStrategy(node_id, soft=False)
    ping = ray.remote(num_cpus=0, max_retries=0)(_ping).options(scheduling_strategy=there).remote()
    try:
        ray.get(ping, timeout=PING)
    except ray.exceptions.RayError:
        ray.cancel(ping, force=True)
        return True
    return False


def ask_for_output(file: str) -> list[Any]:
    """References to what each machine answers to the question what a worker has printed that has died there: Ray does
    not say where that was. file: see ``pipeline.output.left_by``."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    task = ray.remote(num_cpus=0, max_retries=0)(left_by)
    nodes = [node["NodeID"] for node in ray.nodes() if node["Alive"]]
    return [
        task.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote(file)
        for node in nodes
    ]


def _ping() -> None:
    """Has nothing to say."""
