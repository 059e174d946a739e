"""How long the stages of a run took, from its events."""

from collections.abc import Iterable
from pathlib import Path

from pipeline.events import Event, read_events
from pipeline.plan import Plan


def timings(folder: Path, plan: Plan) -> dict[str, dict[str, float]]:
    """Seconds, clips, bytes and failures of every stage, from the events in the run's folder.

    ``elsewhere`` counts the results that exist without an event in this folder: another run has computed them.
    """
    names = {key: name for name in reversed(plan.nodes) for key in plan.nodes[name].keys if key}
    finished = with_interrupted(read_events(folder))
    sums: dict[str, dict[str, float]] = {}
    for name, node_plan in plan.nodes.items():
        if node_plan.node.kind != "source":
            zero = dict.fromkeys(("seconds", "clips", "bytes", "failed"), 0.0)
            elsewhere = sum(
                done and bool(key) and key not in finished
                for key, done in zip(node_plan.keys, node_plan.done, strict=True)
            )
            counts = {"partitions": node_plan.partitions, "reused": node_plan.partitions - plan.todo(name)}
            sums[name] = zero | counts | {"elsewhere": elsewhere}
    for key, event in finished.items():
        for figure in ("seconds", "clips", "bytes", "failed") if key in names else ():
            sums[names[key]][figure] += event[figure]
    return sums


def with_interrupted(events: Iterable[Event]) -> dict[str, Event]:
    """The last ``finished`` event of each key. Its seconds include the time before an interruption, for a stage that
    reports progress, because such a stage resumes."""
    finished: dict[str, Event] = {}
    before: dict[str, float] = {}
    running: dict[str, tuple[str, float, float]] = {}
    """Key, start and last event of each stage that has not ended, by name."""
    for event in events:
        kind, name = event["event"], event.get("stage", "")
        if kind == "started":
            if name in running:
                key, began, last = running[name]
                before[key] = before.get(key, 0.0) + last - began
            running[name] = event["key"], event["time"], event["time"]
        elif kind == "progress" and name in running:
            running[name] = (*running[name][:2], event["time"])
        elif kind in ("finished", "stage_failed"):
            running.pop(name, None)
        if kind == "finished" and event.get("bytes"):  # otherwise, another run had computed it
            finished[event["key"]] = event | {"seconds": event["seconds"] + before.pop(event["key"], 0.0)}
    return finished
