"""A store on S3: all that a run does with a store, on a real server."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue

import pytest

from pipeline.child_executor import ChildExecutor
from pipeline.claims import Claim
from pipeline.clean import find_garbage
from pipeline.errors import DamagedResultError, ManifestError, MissingResultError, StageError
from pipeline.jobs import WholeJob
from pipeline.kept_work import KeptWork
from pipeline.manifest import load_manifest
from pipeline.ray_executor import _do_whole_in_folder
from pipeline.runs import run
from pipeline.stage import WholeStage
from pipeline.status import read_status
from pipeline.store import Store
from toy_manifest import Toy


@pytest.fixture
def store(s3: str) -> Store:
    return Store(f"{s3}/store")


@pytest.fixture
def on_s3(toy: Toy, store: Store) -> Iterator[Toy]:
    """A toy whose store is on S3, in three partitions."""
    text = toy.path.read_text().replace(f"{toy.folder}/store", store.url)
    toy.path.write_text(text.replace("partition: 4", "partition: 20"))
    yield toy
    assert not (toy.folder / "store").exists()


def stored(store: Store) -> dict[str, bytes]:
    paths = store.filesystem.find(store.root)
    return {path.removeprefix(f"{store.root}/"): store.filesystem.cat_file(path) for path in paths}


def test_a_run_writes_what_it_writes_to_a_folder(on_s3: Toy, store: Store, tmp_path: Path) -> None:
    assert len(on_s3.plan().tasks) == 11
    executor = ChildExecutor()
    try:
        result = run(load_manifest(on_s3.path), executor=executor)
    finally:
        executor.close()
    assert result.errors == [] and on_s3.total() == {"total": 1600, "clips": 40}
    assert read_status(on_s3.run_folder).text() == "done"
    other = Toy(tmp_path / "other")
    other.run("partition=20")
    assert stored(store) == other.stored()
    assert on_s3.run().computed == 0


def test_damaged_and_missing_results_are_computed_again(on_s3: Toy, store: Store) -> None:
    on_s3.run()
    before, nodes = stored(store), on_s3.plan().nodes
    damaged, removed = nodes["double"].path(store, 1), nodes["add"].path(store, 1)
    store.filesystem.pipe_file(damaged, store.filesystem.cat_file(damaged)[:-9])
    with pytest.raises(DamagedResultError, match=damaged):
        store.read(damaged)
    for path in (removed, nodes["total"].path(store), nodes["share"].path(store, 1), nodes["summary"].path(store)):
        store.remove(path)
    with pytest.raises(MissingResultError, match=removed):
        store.read_input(removed)
    with pytest.raises(MissingResultError, match=removed):
        store.open_input(removed)
    assert on_s3.run().errors == []
    after = stored(store)
    assert {path: content for path, content in after.items() if not path.startswith("damaged/")} == before
    assert len(after) == len(before) + 1


def test_attempts_are_counted(on_s3: Toy, store: Store) -> None:
    settings = ["double.fail=[clip-7]"]
    assert [failure.clip_id for failure in on_s3.run(*settings).failures] == ["clip-7"]
    assert on_s3.run(*settings, retry_failed=True).failures
    assert [attempts.last for attempts in store.attempts().values()] == [1]
    assert on_s3.run(*settings, force=("total",)).computed >= 1
    assert len(store.attempts()) == 2


def test_what_no_plan_needs_is_removed_unless_a_run_has_claimed_it(on_s3: Toy, store: Store) -> None:
    on_s3.run()
    wanted = set(stored(store))
    on_s3.run("total.scale=3", "name=other")
    other, more = on_s3.plan("total.scale=3", "name=other"), set(stored(store)) - wanted
    shutil.rmtree(on_s3.folder / "runs" / "other")
    with Claim(store) as claim:
        claim.hold(other)
        (garbage,) = find_garbage([load_manifest(on_s3.path)])
        assert garbage.remove == {}
    (garbage,) = find_garbage([load_manifest(on_s3.path)])
    assert {path.removeprefix(f"{store.root}/") for path in garbage.remove} == more != set()
    garbage.sweep()
    assert set(stored(store)) == wanted


def test_unfinished_work_stays_as_long_as_a_plan_needs_its_result(on_s3: Toy, store: Store, tmp_path: Path) -> None:
    checkpoint = tmp_path / "checkpoint-2.safetensors"  # of a further network
    checkpoint.write_bytes(b"half")
    key, strange = on_s3.plan().nodes["total"].keys[0], "0" * 32
    for work in (KeptWork(store.url, key), KeptWork(store.url, strange)):
        work.keep(checkpoint)
    (garbage,) = find_garbage([load_manifest(on_s3.path)])
    assert list(garbage.keep) == [f"{store.root}/work/{key}.{checkpoint.name}"]
    garbage.sweep()
    assert list(store.sizes()) == [f"{store.root}/work/{key}.{checkpoint.name}"]
    KeptWork(store.url, key).restore(tmp_path / "elsewhere")
    assert (tmp_path / "elsewhere" / checkpoint.name).read_bytes() == b"half"
    assert on_s3.run().errors == [] and store.notes("work") == []


def test_a_whole_stage_needs_no_folder_of_the_run_on_another_machine(
    on_s3: Toy, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # as the job does, which ends with its process
    on_s3.run()
    plan, key = on_s3.plan(), on_s3.plan().nodes["total"].keys[0]
    path = plan.nodes["total"].path(store, 0)
    made = store.filesystem.cat_file(path)
    store.remove(path)
    stage, elsewhere = plan.nodes["total"].node.stage, tmp_path / "not" / "here"
    assert isinstance(stage, WholeStage)
    job = WholeJob("total", stage, store.url, "total", key, plan.variants("total"), elsewhere)
    _do_whole_in_folder(job, str(tmp_path), "printed", SimpleQueue())
    assert store.filesystem.cat_file(path) == made and not elsewhere.exists()
    local = replace(job, store=str(tmp_path / "store"))
    error = _do_whole_in_folder(local, str(tmp_path), "printed", SimpleQueue()).result
    assert isinstance(error, StageError)
    assert "set runs to a folder that all machines share, or store to a URL" in str(error)


PLAN = "from pipeline.store import Store; import sys; store = Store(sys.argv[1]); store.attempts()"


def said(url: str, variables: Mapping[str, str | None], code: str = PLAN) -> str:
    """What a process says of a store whose environment lacks or has something."""
    environment = {name: value for name, value in (os.environ | variables).items() if value is not None}
    command = [sys.executable, "-c", code, url]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False, timeout=300)
    return done.stderr.strip().splitlines()[-1]


def test_what_is_wrong_is_said(s3: str) -> None:
    here = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/dev/null", "HOME": "/nowhere"}
    without = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}
    text = said(s3, here | without)
    assert "NoCredentialsError" in text and "AWS_ACCESS_KEY_ID" in text and "AWS_ENDPOINT_URL" in text
    with pytest.raises(ManifestError, match="there is no bucket nobody for s3://nobody/store: make it"):
        Store("s3://nobody/store").attempts()
    with pytest.raises(ManifestError, match="names no bucket: give it as s3://BUCKET/FOLDER"):
        Store("s3://").attempts()
    impatient = f"import pipeline.patience; pipeline.patience.PAUSES = (0.1,); {PLAN}"
    unreached = said(s3, {"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1"}, impatient)
    assert "cannot be used: " in unreached and "can this machine reach it" in unreached


@pytest.mark.parametrize(("url", "library", "extra"), [("s3://b/a", "s3fs", "s3"), ("gs://b/a", "gcsfs", "gcs")])
def test_the_extra_that_is_missing_is_named(url: str, library: str, extra: str) -> None:
    text = said(url, {}, f"import sys; sys.modules[{library!r}] = None; {PLAN}")
    assert f"cannot open the store {url}" in text and f"pip install 'action-pipeline[{extra}]'" in text
