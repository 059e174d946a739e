"""``pipeline publish``, also against a stand-in of the hub's API."""

import base64
import json
from collections.abc import Callable, Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from command_line import Done, command

from recognizer.config import RecognizerConfig
from recognizer.model import Recognizer
from stages.commands.publishing import without_folders
from stages.pose.stage import Pose
from stages.train.usage import Usage

POSE = {"estimator": "movenet_lightning", "weights": "/home/someone/weights/net.json", "detector_weights": "own/d.bin"}
USAGE: dict[str, Any] = {
    "format": 1,
    "partition": 8,
    "source": "index",
    "model": "train",
    "predict": "predict",
    "stages": {
        "pose": {"uses": "stages.pose.stage:Pose", "needs": ["index"], "with": POSE},
        "predict": {"uses": "stages.predict.stage:Predict", "needs": ["pose", "train"], "with": {"views": 10}},
    },
}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    config = RecognizerConfig(class_names=("sit", "wave"), modality="pose", width=8, frames=6, size=32, blocks=1)
    Recognizer(config).save_pretrained(folder)
    (folder / "recognition.json").write_text(json.dumps(USAGE))
    (folder / "README.md").write_text("# Waving\n")
    (folder / "notes.txt").write_text("private")
    (folder / "weights.pth").write_bytes(b"pickle")
    return folder


class Hub(ThreadingHTTPServer):
    """What the hub's client asks for when it makes a repository, lists it, and sends and deletes small files."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answers)
        self.address = f"http://127.0.0.1:{self.server_port}"
        self.private: bool | None = None
        self.tokens: set[str | None] = set()
        self.received: dict[str, bytes] = {}


class Answers(BaseHTTPRequestHandler):
    server: Hub

    def do_GET(self) -> None:
        if self.headers["Authorization"] != "Bearer hf_good":
            return self._answer({"error": "Invalid credentials"}, 401)
        if "/tree/" in self.path:
            files = self.server.received.items()
            listed = [{"type": "file", "path": name, "size": len(content), "oid": name} for name, content in files]
            return self._answer(listed)
        self._answer({"id": "someone/waving", "sha": "0" * 40, "private": self.server.private, "siblings": []})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.tokens.add(self.headers["Authorization"])
        if self.headers["Authorization"] != "Bearer hf_good":
            self._answer({"error": "Invalid credentials"}, 401)
        elif self.path == "/api/repos/create":
            there = self.server.private is not None
            if not there:
                self.server.private = json.loads(body).get("private", json.loads(body).get("visibility") == "private")
            self._answer({"url": f"{self.server.address}/someone/waving"}, 409 if there else 200)
        elif "/preupload/" in self.path:
            files = json.loads(body)["files"]
            self._answer({"files": [{**file, "uploadMode": "regular", "shouldIgnore": False} for file in files]})
        elif "/commit/" in self.path:
            for line in map(json.loads, body.splitlines()):
                if line["key"] == "file":
                    self.server.received[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
                elif line["key"] == "deletedFile":
                    del self.server.received[line["value"]["path"]]
            url = f"{self.server.address}/someone/waving/commit/0"
            self._answer({"commitUrl": url, "commitOid": "0" * 40, "success": True})
        elif self.path == "/api/validate-yaml":
            self._answer({"errors": [], "warnings": []})
        else:
            self._answer({"error": self.path}, 404)

    def _answer(self, content: Any, code: int = 200) -> None:
        sent = json.dumps(content).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def hub() -> Iterator[Hub]:
    server = Hub()
    Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def publish(model: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done]:
    """``pipeline publish`` with the stand-in as the hub, or with another address."""

    def run(*options: str, token: str = "hf_good", address: str = hub.address) -> Done:
        for name, value in {"ENDPOINT": address, "HF_HUB_DISABLE_XET": True, "HF_TOKEN_PATH": "/no/token"}.items():
            monkeypatch.setattr(f"huggingface_hub.constants.{name}", value)
        monkeypatch.setenv("HF_TOKEN", token)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        return command("publish", str(model), "someone/waving", *options)

    return run


def test_the_models_files_and_no_others_are_sent(model: Path, hub: Hub, publish: Callable[..., Done]) -> None:
    done = publish()
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"{hub.address}/someone/waving"
    assert hub.private is True and hub.tokens == {"Bearer hf_good"}
    assert sorted(hub.received) == ["README.md", "config.json", "model.safetensors", "recognition.json"]
    for name, content in hub.received.items():
        assert f"{sha256(content).hexdigest()}" in done.stdout
        if name != "recognition.json":
            assert content == (model / name).read_bytes()
    assert b"/home/someone" not in hub.received["recognition.json"]


def test_who_sees_an_existing_repository_is_who_was_meant(hub: Hub, publish: Callable[..., Done]) -> None:
    for private, options, message in (
        (False, (), "everybody can see it: add --public"),
        (True, ("--public",), "only its owner can see it: make it public in its settings on the hub"),
    ):
        hub.private = private
        done = publish(*options)
        assert done.returncode == 2 and message in done.stderr
        assert hub.private is private and not hub.received
    hub.private = False
    assert publish("--public").returncode == 0 and hub.received


def test_nothing_of_another_model_stays_beside_the_weights(model: Path, hub: Hub, publish: Callable[..., Done]) -> None:
    hub.private = True
    hub.received = dict.fromkeys((".gitattributes", "README.md", "recognition.json", "notes/README.md"), b"old")
    (model / "README.md").unlink()
    (model / "recognition.json").unlink()
    done = publish()
    assert done.returncode == 0, done.stderr
    assert sorted(hub.received) == [".gitattributes", "config.json", "model.safetensors", "notes/README.md"]


def test_what_hinders_it_is_said(hub: Hub, publish: Callable[..., Done]) -> None:
    done = publish(token="hf_bad")
    assert done.returncode == 2 and "does not accept the token" in done.stderr
    done = publish(token="")
    assert done.returncode == 2 and "not logged in" in done.stderr and not hub.received
    done = publish(address="http://127.0.0.1:9")
    assert done.returncode == 2 and "the Hugging Face hub cannot be reached" in done.stderr


def test_a_dry_run_shows_what_would_be_sent(model: Path) -> None:
    done = command("publish", str(model), "someone/waving", "--dry-run")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "someone/waving, private:"
    digest = sha256((model / "model.safetensors").read_bytes()).hexdigest()
    assert [line.split()[0] for line in lines[2:6]] == [
        "config.json",
        "model.safetensors",
        "README.md",
        "recognition.json",
    ]
    assert digest in lines[3] and "kB" in lines[3]
    assert lines[6:] == [f"not sent, though recognition.json names it: {name}" for name in ("net.json", "d.bin")]


@pytest.mark.parametrize("name", ["waving", "a/b/c", "someone/", "some one/waving", "someone/a--b", "../waving"])
def test_wrong_names_are_refused(model: Path, name: str) -> None:
    done = command("publish", str(model), name, "--dry-run")
    assert done.returncode == 2 and "no name on the Hugging Face hub" in done.stderr


def test_a_model_that_does_not_load_is_not_sent(model: Path) -> None:
    (model / "model.safetensors").write_bytes(b"noise")
    done = command("publish", str(model), "someone/waving", "--dry-run")
    assert done.returncode == 2 and "model.safetensors is damaged" in done.stderr


def test_paths_are_reduced_to_names() -> None:
    usage, named = without_folders(Usage.model_validate(USAGE))
    expected = {"estimator": "movenet_lightning", "weights": "net.json", "detector_weights": "d.bin"}
    assert usage.stages["pose"].parameters == expected and named == ("net.json", "d.bin")
    own: dict[str, Any] = {
        "uses": "stages.pose.stage:Pose",
        "needs": [],
        "with": {"estimator": "own:C", "weights": "C:\\w\\n.onnx"},
    }
    usage, _ = without_folders(Usage.model_validate(USAGE | {"stages": USAGE["stages"] | {"pose": own}}))
    assert usage.stages["pose"].parameters == {"estimator": "own:C", "weights": "n.onnx"}
    for signed in ("https://me:word@host/w/n.onnx?Signature=secret#part", "s3://bucket/n.onnx"):
        own["with"]["weights"] = Pose(estimator="onnx", weights=signed).model_dump(mode="json")["weights"]
        usage, named = without_folders(Usage.model_validate(USAGE | {"stages": USAGE["stages"] | {"pose": own}}))
        assert usage.stages["pose"].parameters["weights"] == "n.onnx" and named == ("n.onnx",)
