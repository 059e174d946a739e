"""How long the stages of a run took, whoever computed them and however often they were interrupted."""

import json

from pipeline.timings import with_interrupted
from toy_manifest import Toy


def test_what_another_run_computed_has_no_time_here(toy: Toy) -> None:
    def timings(name: str) -> dict[str, dict[str, float]]:
        return json.loads((toy.folder / "runs" / name / "timings.json").read_text())

    toy.run()
    assert {spent["elsewhere"] for spent in timings("toy").values()} == {0}
    toy.run("name=other", "total.scale=2")
    assert timings("other")["double"] | {"partitions": 0, "reused": 0} == {
        "seconds": 0, "clips": 0, "bytes": 0, "failed": 0, "partitions": 0, "reused": 0,
        "elsewhere": timings("toy")["double"]["partitions"],
    }  # fmt: skip
    assert timings("other")["total"]["elsewhere"] == 0


def test_time_before_an_interruption_counts() -> None:
    def event(kind: str, time: float, **more: object) -> dict[str, object]:
        return {"event": kind, "stage": "train", "time": time} | more

    first = [event("started", 10.0, key="a"), event("progress", 40.0), event("progress", 70.0)]
    second = [event("started", 100.0, key="a"), event("finished", 120.0, key="a", seconds=20.0, bytes=9)]
    assert with_interrupted(second)["a"]["seconds"] == 20
    assert with_interrupted(first + second)["a"]["seconds"] == 80
    failed = [event("started", 10.0, key="a"), event("progress", 40.0), event("stage_failed", 50.0)]
    assert with_interrupted(failed + second)["a"]["seconds"] == 20
