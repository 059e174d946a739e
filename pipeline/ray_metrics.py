"""A run's figures among Ray's application metrics, which Ray exports for Prometheus on each machine.

All of them come from the process that a person started, by its events: what a worker has counted since Ray last asked
is gone when it ends. Seconds are a sum and no histogram, because the sum of Ray's histograms is guessed from their
buckets.
"""

import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

from pipeline.events import Event

EVERY = 3.0
"""Seconds after which gauges are set again. Ray forgets those that were not set between two reports, 10 s apart."""


class RayMetrics:
    """Listens to the events of a run while Ray is running. Prometheus sees the names with ``ray_`` before them."""

    def __init__(self, run: str, todo: Mapping[str, int], reused: Mapping[str, int]) -> None:
        """todo, reused: by stage, how many results are to be computed, and how many there are."""
        from ray.util import metrics

        self._run = run
        of_stage = ("run", "stage")
        self._results = metrics.Counter(
            "pipeline_results_total", "Results computed in this run, reused in it, or failed.", (*of_stage, "how")
        )
        self._clips = metrics.Counter("pipeline_clips_failed_total", "Clips that failed in this run.", of_stage)
        self._seconds = metrics.Counter(
            "pipeline_work_seconds_total", "Seconds of work on the results computed in this run.", of_stage
        )
        self._partitions = metrics.Gauge(
            "pipeline_partitions", "Results to be computed: waiting, or in hand.", (*of_stage, "state")
        )
        self._todo = Counter(todo)
        """By stage, what is waiting or in hand."""
        self._in_hand: dict[str, set[str]] = {}
        """By stage, keys."""
        for stage, number in reused.items():
            if number:
                self._results.inc(number, self._tags(stage, how="reused"))
        self._shown = float("-inf")
        self.refresh()

    def __call__(self, event: Event) -> None:
        stage: Any = event.get("stage")
        in_hand = self._in_hand.setdefault(stage, set()) if "key" in event else set()
        match event["event"]:
            case "started":
                in_hand.add(event["key"])
            case "worker_died":
                in_hand.discard(event["key"])
            case "finished":
                in_hand.discard(event["key"])
                self._todo[stage] -= 1
                if event["bytes"]:  # otherwise, another run has made it
                    self._results.inc(1, self._tags(stage, how="computed"))
                if event["seconds"]:
                    self._seconds.inc(event["seconds"], self._tags(stage))
                if event["failed"]:
                    self._clips.inc(event["failed"], self._tags(stage))
            case "job_failed":
                in_hand.discard(event["key"])
                self._todo[stage] -= 1
                self._results.inc(1, self._tags(stage, how="failed"))
            case "planned_again":
                self._todo, self._in_hand = Counter(event["stages"]), {}
            case "run_finished" | "run_interrupted":
                self._todo, self._in_hand = Counter(dict.fromkeys(self._todo, 0)), {}
                self._shown = float("-inf")
        if stage in self._todo:
            self._show(stage)
        self.refresh()

    def refresh(self) -> None:
        """Called now and then, also while nothing happens."""
        if time.monotonic() - self._shown >= EVERY:
            self._shown = time.monotonic()
            for stage in self._todo:
                self._show(stage)

    def _show(self, stage: str) -> None:
        at_work = len(self._in_hand.get(stage, ()))
        self._partitions.set(at_work, self._tags(stage, state="in_hand"))
        self._partitions.set(max(0, self._todo[stage] - at_work), self._tags(stage, state="waiting"))

    def _tags(self, stage: str, **more: str) -> dict[str, str]:
        return {"run": self._run, "stage": stage} | more
