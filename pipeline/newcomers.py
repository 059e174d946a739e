"""Machines that join a cluster while a run goes on. Each is asked what those were asked that were there before it: Ray
gives it work at once, and where it lacks something, that work would fail for reasons that name no machine."""

import threading

from pipeline.errors import ManifestError
from pipeline.nodes import examine_nodes, refuse_nodes
from pipeline.plan import Plan

INTERVAL = 5.0
"""Seconds between two looks at who is there."""


JOINED = "a machine has joined that lacks what the run needs; mend it or take it away, and run again to resume"


class Newcomers:
    """Asks them, in a thread of its own, from when it is made until ``stop``."""

    def __init__(self, plan: Plan) -> None:
        """plan: what runs. Ray must be running; the machines that it has now have been asked already."""
        self._plan = plan
        self._known = alive()
        self._refused: ManifestError | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="newcomers", daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raises ManifestError with a table of them if any lacks something."""
        if self._refused:
            raise self._refused

    def stop(self) -> None:
        """Ask nobody any more. Ray is about to end."""
        self._stopped.set()
        self._thread.join(INTERVAL)

    def _watch(self) -> None:
        while not self._stopped.wait(INTERVAL) and self._refused is None:
            try:
                if new := alive() - self._known:
                    refuse_nodes(examine_nodes(self._plan, among=new), JOINED)
                    self._known |= new
            except ManifestError as error:
                self._refused = error
            except Exception:  # Ray is ending, or the network fails for a moment
                continue


def alive() -> set[str]:
    """The ids of the machines that are up."""
    import ray

    return {node["NodeID"] for node in ray.nodes() if node["Alive"]}
