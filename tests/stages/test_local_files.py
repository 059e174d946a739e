"""Files at URLs that are read as local files, on a real server: copied once, anew after a change, and called by URL."""

import os
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.request import Request, urlopen

import fsspec
import pytest
from s3_server import s3_server

from pipeline.errors import ManifestError
from pipeline.stage import KnownFile
from stages import local_files
from stages.local_files import as_known, cache_folder, errors_name_urls, local_copy, local_file, passing_copy


@pytest.fixture(autouse=True)
def _nothing_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    local_files._asked.clear()


def write(url: str, content: bytes) -> None:
    filesystem, path = fsspec.core.url_to_fs(url)
    filesystem.pipe_file(path, content)
    local_files._asked.clear()  # as after two seconds


def test_a_file_is_copied_once_for_each_state(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write(f"{s3}/a.csv", b"one")
    first = local_copy(f"{s3}/a.csv", "list")
    assert first.name == "a.csv" and first.read_bytes() == b"one" and cache_folder() in first.parents
    first.write_bytes(b"kept")
    local_files._asked.clear()
    assert local_copy(f"{s3}/a.csv", "list").read_bytes() == b"kept"
    write(f"{s3}/a.csv", b"two")
    second = local_copy(f"{s3}/a.csv", "list")
    assert second != first and second.read_bytes() == b"two" and len(list(cache_folder().glob("*/*"))) == 2
    write(f"{s3}/a.csv", b"one")
    assert local_copy(f"{s3}/a.csv", "list") == first


def test_what_belongs_to_a_file_lies_beside_its_copy(s3: str) -> None:
    for name in ("m.json", "m.bin", "other.bin", "m/m.bin"):
        write(f"{s3}/{name}", name.encode())
    copy = local_copy(f"{s3}/m.json", "weights", "m.bin", "config.json")
    assert sorted(file.name for file in copy.parent.iterdir()) == ["m.bin", "m.json"]
    write(f"{s3}/m.bin", b"changed")
    changed = local_copy(f"{s3}/m.json", "weights", "m.bin", "config.json")
    assert changed != copy and (changed.parent / "m.bin").read_bytes() == b"changed"


def test_copies_are_known_by_their_content_and_other_files_by_their_path(s3: str, tmp_path: Path) -> None:
    write(f"{s3}/w.pth", b"weights")
    own = tmp_path / "w.pth"
    own.write_bytes(b"weights")
    assert as_known(local_copy(f"{s3}/w.pth", "weights")) == KnownFile.of(own)
    assert as_known(own) == own


def test_errors_call_a_copy_by_its_url(s3: str) -> None:
    write(f"{s3}/a.csv", b"one")
    expected = pytest.raises(ManifestError, match=rf"^list: {s3}/a\.csv, line 1: wrong$")
    with expected, local_file(Path(f"{s3}/a.csv"), "list") as file:
        raise ManifestError(f"list: {file}, line 1: wrong")
    with pytest.raises(ManifestError, match=r"^as it is$"), errors_name_urls():
        raise ManifestError("as it is")


def test_a_copy_that_is_read_once_is_gone_afterwards(s3: str) -> None:
    for name in ("a.json", "frames/1.json", "frames/2.json", "frames/deeper/3.json"):
        write(f"{s3}/{name}", name.encode())
    with passing_copy(f"{s3}/a.json") as copy:
        assert copy.name == "a.json" and copy.read_bytes() == b"a.json"
    with passing_copy(f"{s3}/frames") as folder:
        assert {file.name: file.read_bytes() for file in folder.iterdir()} == {
            "1.json": b"frames/1.json",
            "2.json": b"frames/2.json",
        }
    assert not copy.exists() and not folder.exists() and not cache_folder().exists()


def test_copies_that_nobody_has_used_are_removed(s3: str) -> None:
    for name in ("a", "b", "c"):
        write(f"{s3}/{name}", name.encode())
    old, used = local_copy(f"{s3}/a", "list"), local_copy(f"{s3}/b", "list")
    past = time.time() - local_files.UNUSED - 60
    for copy in (old, used):
        os.utime(copy.parent, (past, past))
    local_files._asked.clear()
    local_copy(f"{s3}/b", "list")
    local_copy(f"{s3}/c", "list")
    assert not old.exists() and used.exists()


def test_what_cannot_be_read_is_said(s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ManifestError, match=rf"^weights: there is no file {s3}/none\.pth$"):
        local_copy(f"{s3}/none.pth", "weights")
    write(f"{s3}/folder/a", b"a")
    with pytest.raises(ManifestError, match=rf"^weights: there is no file {s3}/folder$"):
        local_copy(f"{s3}/folder", "weights", "*.bin")
    with pytest.raises(ManifestError, match="cannot open list nothing://a"):
        local_copy("nothing://a/b", "list")
    (tmp_path / "cache").write_text("in the way")
    with pytest.raises(ManifestError, match=r"cannot be copied to .*XDG_CACHE_HOME"):
        local_copy(f"{s3}/folder/a", "list")
    monkeypatch.setattr("pipeline.patience.PAUSES", (0.0,))
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    fsspec.get_filesystem_class("s3").clear_instance_cache()
    local_files._asked.clear()
    with pytest.raises(ManifestError, match=rf"^list {s3}/folder/a cannot be used: .*can this machine reach it"):
        local_copy(f"{s3}/folder/a", "list")


def test_a_file_that_changes_while_it_is_copied_is_not_kept(s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write(f"{s3}/a", b"before")
    filesystem, path = fsspec.core.url_to_fs(f"{s3}/a", use_listings_cache=False)

    class Changing:
        """The same service, at which somebody is faster."""

        def __getattr__(self, name: str) -> Any:
            return getattr(filesystem, name)

        def get_file(self, source: str, target: str) -> None:
            filesystem.get_file(source, target)
            filesystem.pipe_file(path, b"after!")

    monkeypatch.setattr(local_files, "open_filesystem", lambda url, what: (Changing(), path))
    with pytest.raises(ManifestError, match="has changed while it was copied: try again"):
        local_copy(f"{s3}/a", "list")
    assert list(cache_folder().glob("*/")) == []


def test_forbidden_files_are_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("moto")
    with s3_server() as variables:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        fsspec.get_filesystem_class("s3").clear_instance_cache()
        write("s3://bucket/a", b"a")
        strict = Request(f"{variables['AWS_ENDPOINT_URL']}/moto-api/reset-auth", b"0", {"Content-Type": "text/plain"})
        urlopen(strict).close()  # from now on, nobody knows the key
        with pytest.raises(ManifestError, match=r"weights s3://bucket/a cannot be used: .*may you read there"):
            local_copy("s3://bucket/a", "weights")


def test_web_servers_and_other_services_will_do(tmp_path: Path) -> None:
    folder = tmp_path / "served"
    folder.mkdir()
    for name in ("a.onnx", "a.onnx.data", "config.json"):
        (folder / name).write_text(name)
    handler = partial(SimpleHTTPRequestHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        copy = local_copy(f"{url}/a.onnx", "weights", "a.onnx.data")
        assert sorted(file.name for file in copy.parent.iterdir()) == ["a.onnx", "a.onnx.data"]
        os.utime(folder / "a.onnx", (1e9, 1e9))
        local_files._asked.clear()
        assert local_copy(f"{url}/a.onnx", "weights", "a.onnx.data") != copy
        with pytest.raises(ManifestError, match="weights: there is no file http"):
            local_copy(f"{url}/none.onnx", "weights", "none.onnx.data")
        server.shutdown()
    write("memory://bucket/a.csv", b"one")
    assert local_copy("memory://bucket/a.csv", "list", "b*").read_bytes() == b"one"


def test_a_copy_that_somebody_has_removed_is_made_again(s3: str) -> None:
    write(f"{s3}/a.csv", b"one")
    local_copy(f"{s3}/a.csv", "list").unlink()
    local_files._asked.clear()
    assert local_copy(f"{s3}/a.csv", "list").read_bytes() == b"one"
