"""What ``pipeline logs`` shows of real failures, crashes and kills, for each way in which jobs are done."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from started_executors import started

from pipeline.child_executor import ChildExecutor
from pipeline.errors import ManifestError
from pipeline.events import read_events
from pipeline.executor import Executor, LocalExecutor
from pipeline.logs import IN_FULL, LOGS, keep_printed, log_lines
from pipeline.manifest import load_manifest
from pipeline.output import LIMIT, LITTLE, Printed
from pipeline.runs import run
from toy_manifest import Toy

ESCAPE = "\x1b[31m"

pytestmark = pytest.mark.filterwarnings("ignore:clip-.* is odd")  # which is meant for those who read the logs


@pytest.fixture(scope="module", params=["local", "child", "ray"])
def executor(request: pytest.FixtureRequest) -> Iterator[Executor]:
    """All executors, each started once for all tests."""
    with started(request.param) as executor:
        yield executor


@pytest.fixture
def toy(tmp_path: Path) -> Toy:
    toy = Toy(tmp_path / "toy")
    toy.path.write_text(toy.path.read_text().replace("toy_stages:Double", "toy_stages:Loud"))
    return toy


def shown(toy: Toy, which: str | None = None, every: bool = False) -> str:
    return "\n".join(log_lines(toy.run_folder, which, every))


def key_of(toy: Toy, clip_id: str, *settings: str) -> str:
    plan = toy.plan(*settings).nodes["double"]
    [key] = [plan.keys[i] for i, _ in enumerate(plan.keys) if clip_id in plan.clips_of(i)["clip_id"].to_pylist()]
    return key


def test_what_was_printed_for_clips_that_failed(toy: Toy, executor: Executor) -> None:
    settings = ["index.count=12", "double.fail=[clip-3]", "double.bug=[clip-7]", "double.text=blue", "max_failed=0.5"]
    result = run(load_manifest(toy.path, settings), executor=executor)
    assert [failure.clip_id for failure in result.failures] == ["clip-3", "clip-7"]
    text = shown(toy)
    assert re.search(r"^double, partition \d+, [0-9a-f]{32}: \d of \d clips? failed after .* on \S+, 20", text, re.M)
    assert "\n  clip-3: clip-3 was told to fail\n" in text
    assert "\n  clip-7: ValueError: a bug that clip-7 brings to light\n" in text
    assert "Traceback (most recent call last):" in text and 'raise ValueError(f"a bug that' in text
    assert "  | clip-7: Python printed blue\n" in text
    if not isinstance(executor, LocalExecutor):  # there, it goes to the terminal alone, and warnings to pytest
        assert "UserWarning: clip-7 is odd" in text
        assert "  | C printed blue\n" in text
        assert "  | a program printed blue\n" in text
    assert shown(toy, key_of(toy, "clip-3", *settings)[:8]).count("partition") == 1


def test_what_nothing_shows_any_more_is_removed_when_a_run_begins(toy: Toy) -> None:
    def printed() -> set[str]:
        return {file.stem for file in (toy.run_folder / LOGS).iterdir()}

    keys = []
    for factor in (2, 3, 4):
        settings = ["double.fail=[clip-3]", f"double.factor={factor}", f"double.text=blue{factor}"]
        toy.run(*settings)
        keys.append(key_of(toy, "clip-3", *settings))
        assert keys[-1] in printed()
    assert printed() == set(keys[1:]), "what the run before printed is shown until its successor has begun"
    assert "printed blue4" in shown(toy)


def test_the_results_know_nothing_of_it(toy: Toy, executor: Executor, tmp_path: Path) -> None:
    run(load_manifest(toy.path, ["double.fail=[clip-3]", "double.text=blue"]), executor=executor)
    other = Toy(tmp_path / "other")
    other.path.write_text(other.path.read_text().replace("toy_stages:Double", "toy_stages:Loud"))
    other.run("double.fail=[clip-3]", "double.text=red")
    assert toy.stored() == other.stored()


@pytest.mark.parametrize("how", ["abort", "kill", "hang"])
def test_what_a_worker_has_printed_until_it_died(toy: Toy, executor: Executor, how: str) -> None:
    if isinstance(executor, LocalExecutor):
        pytest.skip("it would end this process")
    settings = ["index.count=4", f"double.{how}=[clip-2]", "double.limit=1", "double.text=blue", "max_failed=0.5"]
    result = run(load_manifest(toy.path, settings), executor=executor)
    assert [failure.clip_id for failure in result.failures] == ["clip-2"]
    text = shown(toy)
    assert "  | clip-2: Python printed blue\n" in text
    assert "  | C printed blue\n" in text
    assert "and no newline" in text
    if how == "hang":
        assert "TimeoutError: took longer than 1 s" in text
        return
    assert re.search(r"tried \d times\n  its worker (crashed|was killed)", text), text
    assert text.count("  | C printed blue\n") == text.count("\n  its worker ")
    if how == "abort":
        assert "Fatal Python error: Aborted" in text and 'toy_stages.py", line' in text


def test_output_without_end_is_bounded_and_harmless(
    toy: Toy, executor: Executor, capsys: pytest.CaptureFixture
) -> None:
    settings = ["index.count=4", "double.fail=[clip-2]", "double.times=100000", "max_failed=0.5"]
    run(load_manifest(toy.path, [*settings, f"double.text={json.dumps(ESCAPE)}"]), executor=executor)
    [file] = [file for file in (toy.run_folder / LOGS).iterdir() if b"clip-2" in file.read_bytes()]
    assert 0.9 * LIMIT < file.stat().st_size < 1.1 * LIMIT
    text = shown(toy)
    assert ESCAPE not in text and "Python printed \\x1b[31m" in text
    assert "ClipError: clip-2 was told to fail" in text, "the end is what counts"


def test_little_is_kept_of_what_went_well(toy: Toy, executor: Executor) -> None:
    settings = ["index.count=4", "double.fail=[clip-2]", "double.once=true", f"double.text={'x' * LITTLE}"]
    toy.folder.joinpath("loud.log").write_text("clip-2\n")  # so that it does not fail
    assert run(load_manifest(toy.path, settings), executor=executor).failures == []
    assert shown(toy) == "nothing failed; --all shows what was done"
    text = shown(toy, "double", every=True)
    assert "x" * 1000 in text and len(text) < 1.5 * LITTLE
    assert "  nothing was printed" in shown(toy, "add", every=True)
    others = {file.stem for file in (toy.run_folder / LOGS).iterdir()} - {key_of(toy, "clip-2", *settings)}
    assert others == set(), "nothing is kept of a job that has printed nothing"


def test_a_whole_stage_that_fails(toy: Toy, executor: Executor) -> None:
    result = run(load_manifest(toy.path, ["index.count=4", "total.fail=true"]), executor=executor)
    assert result.errors == ["total: told to fail"]
    text = shown(toy, "total")
    assert "\n  told to fail\n" in text and 'raise StageError("told to fail")' in text


def test_no_file_of_a_worker_stays_behind(toy: Toy, executor: Executor, tmp_path: Path) -> None:
    if not isinstance(executor, ChildExecutor):
        pytest.skip("of Ray, others may have files there")
    folder = Path(os.environ.get("TMPDIR", "/tmp")) / f"pipeline-{os.getuid()}"
    settings = ["index.count=4", "double.abort=[clip-2]", "double.fail=[clip-1]", "max_failed=0.9"]
    run(load_manifest(toy.path, settings), executor=executor)
    assert not (folder / executor._file).exists()


def test_a_stage_that_never_starts_is_shown_with_its_reason(toy: Toy) -> None:
    toy.run("double.fail=[clip-1, clip-2, clip-3]", "max_failed=0.01")
    assert "total: failed: 3 of 40 clips failed, more than max_failed" in shown(toy)
    with pytest.raises(ManifestError, match=r"nowhere: no stage and no key on which the runs in .*toy have worked"):
        shown(toy, "nowhere")


def test_a_retry_that_goes_well_is_what_counts(toy: Toy) -> None:
    toy.run("double.fail=[clip-1]")
    assert "clip-1 was told to fail" in shown(toy)
    toy.run(retry_failed=True)
    assert shown(toy) == "nothing failed; --all shows what was done"


def test_of_many_only_the_last_are_shown_in_full(toy: Toy) -> None:
    many = ", ".join(f"clip-{i}" for i in range(40))
    toy.run(f"double.fail=[{many}]", "partition=1", "max_failed=0.9")
    text = shown(toy, "double")
    failed = {event["key"] for event in read_events(toy.run_folder) if event.get("failures")}
    assert text.count("Traceback") < len(failed) or len(failed) <= IN_FULL
    assert all(key in text for key in failed)
    assert f"the last {IN_FULL} in full" in text
    assert shown(toy, "double", every=True).count("ClipError: ") == 40


def test_the_last_texts_of_a_partition_are_kept(tmp_path: Path) -> None:
    for i in range(5):
        keep_printed(tmp_path, "a" * 32, Printed(f"{i} " * (LIMIT // 5), "b", 0.0))
    content = (tmp_path / LOGS / f"{'a' * 32}.txt").read_text()
    assert content.endswith("4 4\n") and "1 1" not in content and content.startswith("[…]\n")


def test_a_key_cannot_name_another_file(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("nobody's business")
    event = {"time": 1.0, "event": "job_failed", "stage": "double", "partition": 0, "key": "../secret", "error": "x"}
    (tmp_path / "events.jsonl").write_text(json.dumps(event) + "\n")
    text = "\n".join(log_lines(tmp_path, None, False))
    assert "../secret: failed" in text and "nobody" not in text
