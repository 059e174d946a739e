import os
import subprocess
import sys
import time

import pyarrow as pa
import pytest
from flaky_files import FlakyFiles

from pipeline.errors import ManifestError, StageError
from pipeline.stage import Table
from pipeline.store import Attempts, Store
from pipeline.urls import open_filesystem, unusable
from pipeline.writers import writer_name

KEY = "0123456789abcdef" * 2
NUMBERS = Table("numbers", pa.schema([("clip_id", pa.string()), ("number", pa.int64())]), row_group=1)
TABLE = pa.table({"clip_id": ["a", "b"], "number": [1, 2]}, schema=NUMBERS.schema)

CONTAINER = ["unshare", "--pid", "--fork"]


def can_start_containers() -> bool:
    try:
        return subprocess.run([*CONTAINER, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


@pytest.fixture(params=["folder", "memory"])
def store(request, tmp_path) -> Store:
    return Store(str(tmp_path / "store") if request.param == "folder" else f"memory://{tmp_path.name}")


def test_what_is_written_is_listed_and_read_back(store: Store) -> None:
    assert store.keys("double") == set()
    size = store.write("double", KEY, TABLE, NUMBERS)
    assert store.keys("double") == {KEY}
    assert store.read(store.path("double", KEY)) == TABLE
    assert list(store.sizes().values()) == [size]


def test_same_table_same_bytes(store: Store) -> None:
    for key in ("one", "two"):
        store.write("double", key, TABLE, NUMBERS)
    one, two = (store.open(store.path("double", key)).read() for key in ("one", "two"))
    assert one == two


def test_notes_and_attempts(store: Store) -> None:
    assert store.read_note("tmp/k.journal") is None
    store.write_note("tmp/k.journal", "clip")
    assert store.read_note("tmp/k.journal") == "clip"
    store.remove_note("tmp/k.journal")
    store.remove_note("tmp/k.journal")
    store.record_attempts({"k": 1})
    store.record_attempts({"k": 2})
    assert store.attempts() == {"k": Attempts(2, forced=2)}
    store.record_attempts({"k": 3}, retry=True)
    store.record_attempts({"n": 1}, retry=True)
    assert store.attempts() == {"k": Attempts(3, forced=2), "n": Attempts(1, forced=0)}


def test_what_is_the_same_is_noted(store: Store) -> None:
    assert store.same() == {}
    store.record_same("new", "old")
    assert store.same() == {"new": "old"}
    assert store.key_with_content("rows") is None
    store.record_content("rows", "old")
    assert store.key_with_content("rows") == "old"


def test_an_unwritable_store_says_what_to_do(tmp_path) -> None:
    store = Store(str(tmp_path / "store"))
    (tmp_path / "store").write_text("a file where the folder should be")
    with pytest.raises(StageError, match=r"cannot write .*--set store="):
        store.write("double", KEY, TABLE, NUMBERS)
    with pytest.raises(ManifestError, match=f"store: {tmp_path / 'store'} is not a folder"):
        Store(str(tmp_path / "store" / "below"))
    with pytest.raises(ManifestError, match=r"store: .* is not a folder: remove it"):
        store.check_writable()


def test_a_full_disk_leaves_nothing_half_written(tmp_path) -> None:
    """A real failure, like that of a full disk: the process may not write files larger than a kilobyte."""
    code = f"""
import resource, signal
import pyarrow as pa
from pipeline.errors import ManifestError, StageError
from pipeline.stage import Table
from pipeline.store import Store
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
spec = Table("t", pa.schema([("x", pa.binary())]), compression=None)
try:
    Store({str(tmp_path)!r}).write("s", "k", pa.table({{"x": [bytes(10000)]}}), spec)
except StageError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-B", "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert "File too large" in done.stdout
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_disk_that_is_full_from_the_start_is_said_before_any_work(tmp_path) -> None:
    """A real failure: the process may not write files larger than a kilobyte."""
    code = f"""
import resource, signal
from pipeline.errors import ManifestError
from pipeline.store import Store
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    Store({str(tmp_path / "new" / "store")!r}).check_writable()
except ManifestError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-B", "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.startswith(f"store: cannot write to {tmp_path}: File too large. Make room there")
    assert list(tmp_path.iterdir()) == []


def test_a_stage_s_folder_that_another_user_owns_is_said_before_any_work(tmp_path) -> None:
    (tmp_path / "add").symlink_to("/sys/kernel")  # in which not even root may make files
    with pytest.raises(ManifestError, match=f"store: cannot write to {tmp_path}/add: "):
        Store(str(tmp_path)).check_writable()


def test_a_store_that_can_be_written_is_left_as_it_was(store: Store) -> None:
    store.check_writable()
    assert store.sizes() == {} and store.notes("tmp") == []


# Stores at URLs


@pytest.mark.parametrize(
    ("url", "variable"),
    [
        ("s3://bucket/a", "AWS_ACCESS_KEY_ID"),
        ("s3a://bucket/a", "AWS_ENDPOINT_URL"),
        ("gs://bucket/a", "GOOGLE_APPLICATION_CREDENTIALS"),
        ("az://container/a", "FSSPEC_ABFS_CONNECTION_STRING"),
        ("sftp://host/a", "FSSPEC_"),
    ],
)
def test_what_is_said_of_a_store_names_what_to_set(url: str, variable: str) -> None:
    text = unusable(url, PermissionError("Forbidden"))
    assert text.startswith(f"the store {url} cannot be used: PermissionError: Forbidden. ") and variable in text


class NoCredentialsError(Exception):
    """Such as the libraries of clouds raise: of no kind that we know."""


@pytest.mark.parametrize("error", [NoCredentialsError("no credentials"), PermissionError("Forbidden")])
def test_a_store_that_does_not_let_us_in_is_a_sentence(tmp_path, monkeypatch: pytest.MonkeyPatch, error) -> None:
    asked: list[str] = []
    monkeypatch.setattr(FlakyFiles, "fault", staticmethod(lambda operation, path: asked.append(operation) or error))
    store = Store(f"flaky://{tmp_path}")
    for work in (
        store.attempts,
        store.check_writable,
        lambda: store.read_note("a"),
        lambda: store.open(store.path("add", KEY)),
    ):
        with pytest.raises(
            ManifestError, match=f"^the store flaky://{tmp_path} cannot be used: {type(error).__name__}"
        ):
            work()
    with pytest.raises(StageError, match=r"cannot be used: .*FSSPEC_"):
        store.write("add", KEY, TABLE, NUMBERS)
    store.sweep()  # for which no run fails, as it would at its end
    assert set(asked) == {"ls", "write", "open", "size"}


def test_sweep_removes_what_the_dead_left_and_nothing_else(tmp_path) -> None:
    dead = subprocess.run(
        [sys.executable, "-c", "from pipeline.writers import writer_name; print(writer_name())"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    folder = tmp_path / "tmp"
    folder.mkdir()
    names = [f"a.parquet.{dead}", f"b.parquet.{writer_name()}", "c.parquet.elsewhere@1.1234", "mine"]
    for name in names:
        (folder / name).touch()
    Store(str(tmp_path)).sweep()
    assert sorted(path.name for path in folder.iterdir()) == names[1:]


def test_sweep_removes_what_the_dead_left_at_a_url(store: Store) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait(60)
    ours = writer_name()
    theirs = ours.replace(f"@{os.getpid()}.", f"@{dead.pid}.")
    for name in ("k.journal", f"k.journal.{ours}", f"k.journal.{theirs}"):
        store.write_note(f"tmp/{name}", "clip")
    store.sweep()
    assert sorted(store.notes("tmp")) == ["k.journal", f"k.journal.{ours}"]


def test_slashes_after_a_bucket_count_once() -> None:
    assert open_filesystem("s3://bucket//store", "the store")[1] == "bucket/store"
    assert open_filesystem("s3://bucket/a//b", "the videos")[1] == "bucket/a//b", "a key that may be"


def test_sweep_removes_what_others_left_after_a_day(tmp_path) -> None:
    folder = tmp_path / "tmp"
    folder.mkdir()
    names = ["a.parquet.elsewhere@1.1234", "b.parquet.elsewhere@1.1234", "mine"]
    for name, hours in zip(names, (25, 23, 25), strict=True):
        (folder / name).touch()
        os.utime(folder / name, (time.time() - 3600 * hours,) * 2)
    Store(str(tmp_path)).sweep()
    assert sorted(path.name for path in folder.iterdir()) == names[1:]


WRITER = """
import os, sys, time
from pathlib import Path
from pipeline.files import replacing
while os.path.exists(f"/proc/{os.getpid()}/stat"):  # until its number is that of no process outside
    if child := os.fork():
        sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
with replacing(Path(sys.argv[1], "add", "a"), Path(sys.argv[1], "tmp")) as file:
    file.write(b"whole")
    print("writing", flush=True)
    sys.stdin.read()
"""


@pytest.mark.skipif(not can_start_containers(), reason="cannot give processes their own numbers here")
def test_sweep_leaves_a_living_writer_in_another_container_of_the_same_host_name_alone(tmp_path) -> None:
    """Only the writer's process number is of another kind, which is what makes a container one here."""
    command = [*CONTAINER, sys.executable, "-c", WRITER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None and writer.stdout.readline() == "writing\n"
        Store(str(tmp_path)).sweep()
        writer.communicate("", timeout=60)
    assert writer.returncode == 0
    assert (tmp_path / "add" / "a").read_bytes() == b"whole"


def test_sweep_takes_neither_a_zombie_nor_a_new_process_of_the_same_number_for_the_writer(tmp_path) -> None:
    zombie = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, zombie.pid, os.WEXITED | os.WNOWAIT)  # it has ended but not been waited for
    folder = tmp_path / "tmp"
    folder.mkdir()
    of_zombie = folder / f"a.parquet.{writer_name().replace(f'@{os.getpid()}.', f'@{zombie.pid}.')}"
    before_our_start = folder / f"b.parquet.{writer_name()}"
    of_zombie.touch()
    before_our_start.touch()
    os.utime(before_our_start, (1, 1))
    Store(str(tmp_path)).sweep()
    assert list(folder.iterdir()) == []
    zombie.wait(10)
