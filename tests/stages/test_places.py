"""Videos at URLs, on a real server: the same clips, the same frames and the same words as in folders."""

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import fsspec
import pyarrow as pa
import pytest
from botocore.exceptions import ClientError
from s3_server import s3_server
from s3fs.errors import translate_boto_error
from video_files import cut_by_copying, truncated, write_video

from pipeline import patience
from pipeline.errors import ClipError, ManifestError, StageError, UnreadableError, is_passing
from pipeline.patience import PAUSES
from stages import places
from stages.places import files_below, opened, reading, state_at, url_of
from stages.sources.finegym import FineGym
from stages.sources.folder import Folder
from stages.sources.listing import Listing
from stages.sources.ntu import NTU
from stages.sources.pattern import Pattern
from stages.sources.pennaction import PennAction
from stages.sources.random_motions import RandomMotions
from stages.sources.skeleton_lookup import find_skeletons
from stages.sources.synthetic import Synthetic
from stages.sources.videos import Videos
from stages.tables import CLIPS
from stages.video.stage import Decode

NAMES = ("run/a.mp4", "run/b.avi", "sit/a.mp4", "sit/b.mkv", "sit/broken.mp4", "sit/empty.mp4", "sit/text.mp4")


@pytest.fixture(autouse=True)
def _nothing_kept() -> None:
    places._recent.clear()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "videos"
    for name in NAMES[:4]:
        write_video(root / name, codec="mpeg4" if name.endswith("avi") else "libx264")
    cut_by_copying(root / "run/a.mp4", root / "sit/a.mp4", 0.7)
    truncated(root / "run/a.mp4", root / "sit/broken.mp4")
    (root / "sit/empty.mp4").touch()
    (root / "sit/text.mp4").write_text("404 not found")
    (root / "notes.txt").write_text("not a video")
    (root / "run/._a.mp4").write_text("left by a Mac")
    return root


@pytest.fixture
def url(folder: Path, upload: Callable[[Path], str]) -> str:
    return upload(folder)


def rows(table: pa.Table) -> list[dict]:
    return [{key: row[key] for key in ("clip_id", "label", "split", "start", "end")} for row in table.to_pylist()]


def test_a_path_that_was_a_url_is_one_again() -> None:
    assert url_of(Path("s3://bucket/a/b")) == "s3://bucket/a/b"
    assert url_of(Path("file:///data/a")) == "file:///data/a"
    assert [url_of(Path(name)) for name in ("/data/s3:/a", "data", "a:b", "~/a", "C:/videos")] == [None] * 5


def test_sources_list_what_they_list_in_a_folder(folder: Path, url: str, tmp_path: Path) -> None:
    sources = (
        lambda root: Folder(root=root),
        lambda root: Pattern(root=root, pattern="{label}/{clip}.{kind}"),
        lambda root: Videos(root=root, window=0.5),
        lambda root: Videos(root=Path(root) / "run" / "a.mp4") if root == folder else Videos(root=f"{url}/run/a.mp4"),
    )
    for source in sources:
        here, there = source(folder), source(url)
        assert rows(there.clips()) == rows(here.clips())
        assert [name for name, _ in there.skipped()] == [name for name, _ in here.skipped()]
    (tmp_path / "list.csv").write_text("path,label\nrun/a.mp4,run\nsit/gone.mp4,sit\n")
    here, there = (Listing(list=tmp_path / "list.csv", root=root).clips() for root in (folder, url))
    assert rows(there) == rows(here)
    assert there["path"].to_pylist() == [f"{url}/run/a.mp4", f"{url}/sit/gone.mp4"]
    assert there["source"].to_pylist() == [state_at(f"{url}/run/a.mp4"), "missing"]


@pytest.fixture
def web(folder: Path) -> Iterator[str]:
    """The address at which a plain web server shows the folder."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.mark.parametrize("kind", ["http", "file"])
def test_any_kind_of_url_will_do(folder: Path, web: str, kind: str) -> None:
    url = web if kind == "http" else folder.as_uri()
    if kind == "http":
        (folder / "zip").mkdir()
        (folder / "zip/lost.mp4").symlink_to("nowhere")
        lost = Videos(root=Path(web)).clips().to_pylist()[-1]
        assert (lost["clip_id"], lost["source"]) == ("zip/lost.mp4", "missing")
        (folder / "zip/lost.mp4").unlink()
    here, there = Videos(root=folder, window=0.5), Videos(root=Path(url), window=0.5)
    assert rows(there.clips()) == rows(here.clips())
    one = Videos(root=Path(f"{url}/run/a.mp4")).clips()
    assert one["clip_id"].to_pylist() == ["a.mp4"]
    assert decoded(one)["a.mp4"]["error"] is None
    good = there.clips().filter(pa.compute.starts_with(there.clips()["clip_id"], "run/"))
    assert decoded(good) == decoded(here.clips().take(list(range(len(good)))))


def test_a_copy_in_another_place_has_the_same_state_and_a_changed_file_another(folder: Path, url: str) -> None:
    filesystem, _ = fsspec.core.url_to_fs(url)
    filesystem.pipe_file(f"{url}/copy.mp4", (folder / "run/a.mp4").read_bytes())
    assert state_at(f"{url}/copy.mp4") == state_at(f"{url}/run/a.mp4")
    filesystem.pipe_file(f"{url}/copy.mp4", (folder / "run/a.mp4").read_bytes()[:-1] + b"\1")
    assert state_at(f"{url}/copy.mp4") != state_at(f"{url}/run/a.mp4")


def decoded(clips: pa.Table) -> dict[str, dict]:
    table = Decode(frames=4).process(clips, {}, None)
    return {row.pop("clip_id"): row for row in table.to_pylist()}


def test_frames_and_errors_are_those_of_local_files(folder: Path, url: str) -> None:
    here, there = (Videos(root=root).clips() for root in (folder, url))
    found = decoded(there)
    assert found == decoded(here)
    assert sum(row["error"] is None for row in found.values()) == 4
    spans = [row | {"start": 0.2, "end": 0.9} for row in there.to_pylist()]
    same = [row | {"start": 0.2, "end": 0.9} for row in here.to_pylist()]
    assert decoded(pa.Table.from_pylist(spans, CLIPS.schema)) == decoded(pa.Table.from_pylist(same, CLIPS.schema))


def test_a_file_that_has_changed_or_gone_since_the_plan_is_its_clip_s_failure(folder: Path, url: str) -> None:
    clips = Videos(root=f"{url}/run").clips()
    filesystem, _ = fsspec.core.url_to_fs(url)
    filesystem.pipe_file(f"{url}/run/a.mp4", (folder / "sit/a.mp4").read_bytes())
    filesystem.rm_file(f"{url}/run/b.avi")
    found = decoded(clips)
    assert found["a.mp4"]["error"] == "the file has changed since the run was planned: run again"
    assert found["b.avi"]["error"].startswith("no such file")


def test_a_local_file_that_has_changed_since_the_plan_is_its_clip_s_failure(folder: Path) -> None:
    clips = Videos(root=folder / "run").clips()
    original, changed = folder / "run/a.mp4", folder / "sit/a.mp4"
    shutil.move(original, folder / "kept.mp4")
    shutil.copy2(changed, original)
    found = decoded(clips)
    assert found["a.mp4"]["error"] == "the file has changed since the run was planned: run again"
    assert found["b.avi"]["error"] is None
    original.unlink()
    assert decoded(clips)["a.mp4"]["error"].startswith("no such file")
    shutil.move(folder / "kept.mp4", original)
    assert decoded(clips)["a.mp4"]["error"] is None, "with the time that it had"


def test_a_service_that_fails_while_a_video_is_read_is_asked_again_and_no_clip_s_failure(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(patience.time, "sleep", pauses.append)
    with s3_server() as variables:
        for name, value in (variables | {"AWS_MAX_ATTEMPTS": "1"}).items():  # of the service's own library
            monkeypatch.setenv(name, value)
        filesystem, _ = fsspec.core.url_to_fs("s3://bucket/a", use_listings_cache=False, skip_instance_cache=True)
        monkeypatch.setattr(places, "open_filesystem", lambda url, what: (filesystem, url.removeprefix("s3://")))
        filesystem.pipe_file("bucket/a.mp4", (folder / "run/a.mp4").read_bytes())
        clips = pa.Table.from_pylist(
            [
                dict.fromkeys(CLIPS.schema.names)
                | {"clip_id": "a", "source": state_at("s3://bucket/a.mp4"), "path": "s3://bucket/a.mp4"}
            ],
            schema=CLIPS.schema,
        )
    filesystem.retries = 1
    with pytest.raises(UnreadableError, match=r"s3://bucket/a\.mp4 cannot be read"):
        decoded(clips)
    assert pauses[-len(PAUSES) :] == list(PAUSES)


def of_s3(code: str) -> OSError:
    """What S3's library raises where the service answers with an error."""
    return translate_boto_error(ClientError({"Error": {"Code": code, "Message": "no"}}, "HeadObject"))


@pytest.mark.parametrize(
    ("code", "kind", "said"),
    [
        ("ExpiredToken", StageError, r"the file s3://bucket/a\.mp4 cannot be used: PermissionError: no\..*AWS_PROFILE"),
        ("InvalidAccessKeyId", StageError, "AWS_PROFILE"),
        ("400", StageError, "AWS_PROFILE"),
        ("AccessDenied", ClipError, "no permission to read the file: no"),
        ("403", ClipError, "no permission to read the file: no"),
        ("404", ClipError, "no such file"),
        ("InvalidRange", ClipError, "the file cannot be read: OSError"),
        ("RequestTimeout", OSError, "TimeoutError: no"),
        ("SlowDown", OSError, "no"),
    ],
)
def test_a_service_that_lets_nobody_in_is_no_clip_s_failure(code: str, kind: type[Exception], said: str) -> None:
    def work() -> None:
        raise of_s3(code)

    with pytest.raises(kind, match=said) as error:
        reading("s3://bucket/a.mp4", work)
    assert is_passing(error.value) == (kind is OSError)


def test_what_cannot_be_listed_is_said(s3: str) -> None:
    with pytest.raises(ManifestError, match=rf"root: no videos below {s3}/none: it should contain"):
        Folder(root=f"{s3}/none").clips()
    with pytest.raises(ManifestError, match=rf"skeletons: there are no files at {s3}/skeletons"):
        find_skeletons(["a.mp4"], Path(f"{s3}/skeletons"))
    fsspec.core.url_to_fs(s3)[0].pipe_file(f"{s3}/images/run/1.jpg", b"")
    with pytest.raises(ManifestError, match=r"no videos below s3://.*/images \(folders of images must be in a"):
        Folder(root=f"{s3}/images").clips()
    with pytest.raises(ManifestError, match=r"root s3:// names no bucket"):
        files_below("s3://", "root")


@pytest.mark.parametrize(
    "source",
    [
        lambda url: NTU(root=url, protocol="ntu60_xsub").clips(),
        lambda url: FineGym(root=url).clips(),
        lambda url: PennAction(root=url).clips(),
        lambda url: RandomMotions(file=f"{url}.npz").create(),
        lambda url: Synthetic(root=url).create(),
    ],
)
def test_what_must_be_in_a_folder_is_said(
    source: Callable[[str], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        ManifestError, match=r"s3://bucket/data\S* is a URL, but .* must be in a folder of this machine"
    ):
        source("s3://bucket/data")
    assert not list(tmp_path.iterdir())


RUN = """
import sys
from pathlib import Path
from stages.places import opened
opened(sys.argv[1]).read(1000)
print([str(p) for p in Path(sys.argv[2]).iterdir()])
"""


def test_reading_leaves_nothing_in_the_temporary_folder(url: str, tmp_path: Path) -> None:
    (tmp_path / "temporary").mkdir()
    environment = os.environ | {"TMPDIR": str(tmp_path / "temporary")}
    command = [sys.executable, "-c", RUN, f"{url}/run/a.mp4", environment["TMPDIR"]]
    assert subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout == "[]\n"


def test_local_files_are_opened_as_they_are(folder: Path) -> None:
    with opened(str(folder / "notes.txt")) as file:
        assert file.read() == b"not a video"
