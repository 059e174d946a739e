"""Machines that join a cluster while a run goes on. Each is asked what those were asked that were there before it: Ray
gives it work at once, and where it lacks something, that work would fail for reasons that name no machine."""

import threading

from pipeline.errors import ManifestError
from pipeline.nodes import ANSWER, examine_nodes, refuse_nodes
from pipeline.plan import Plan

INTERVAL = 5.0
"""Seconds between two looks at who is there."""
JOINED = "a machine has joined that lacks what the run needs; mend it or take it away, and run again to resume"


class Newcomers:
    """Asks them, in a thread of its own, from when it is made until ``stop``."""

    def __init__(self, plan: Plan, known: set[str]) -> None:
        """plan: what runs. known: ids of the machines that have been asked already. Ray must be running."""
        self._plan = plan
        self._known = known
        self._refused: ManifestError | None = None
        self._looking = threading.Lock()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="newcomers", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raises ManifestError with a table of them if any lacks something."""
        if self._refused:
            raise self._refused

    def look(self) -> None:
        """Ask those that have joined since the last look. Where they cannot be asked, the next look does it."""
        with self._looking:
            try:
                new = alive() - self._known
                nodes = examine_nodes(self._plan, among=new) if new else []
            except Exception:  # Ray is ending, or the network fails for a moment
                return
            self._known = self._known | new
            try:
                refuse_nodes(nodes, JOINED)
            except ManifestError as error:
                self._refused = error

    def stop(self) -> None:
        """Ask nobody any more. Ray is about to end, which must not happen to a machine that is being asked."""
        self._stopped.set()
        self._thread.join(ANSWER)

    def _watch(self) -> None:
        while not self._stopped.wait(INTERVAL) and self._refused is None:
            self.look()


def alive() -> set[str]:
    """The ids of the machines that are up."""
    import ray

    return {node["NodeID"] for node in ray.nodes() if node["Alive"]}
