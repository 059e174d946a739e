"""What the doctor finds on this machine and in manifests."""

from pathlib import Path

import pytest

from stages.commands.examination import Finding, examine


def missing(path: Path) -> list[Finding]:
    return [finding for finding in examine(path) if finding.verdict == "missing"]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_installation() -> None:
    findings = {finding.what: finding for finding in examine()}
    assert findings["Python"].verdict == "ok"
    assert "pyarrow" in findings["packages"].detail
    assert {"processors", "memory", "GPU", "weights"} <= findings.keys()


def test_a_manifest_that_lacks_nothing() -> None:
    Path("m.yaml").write_text("stages: {index: {uses: 'toy_stages:Numbers'}}\n")
    findings = {finding.what: finding for finding in examine(Path("m.yaml"))}
    assert missing(Path("m.yaml")) == []
    assert findings["store"].detail.startswith("store: ")


def test_what_a_manifest_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOT_SET", raising=False)
    Path("unset.yaml").write_text("store: ${NOT_SET}\nstages: {index: {uses: 'toy_stages:Numbers'}}\n")
    assert missing(Path("unset.yaml")) == [
        Finding("manifest", "missing", "unset.yaml:1: environment variable NOT_SET is not set; export NOT_SET=…")
    ]
    Path("files.yaml").write_text(
        "stages:\n"
        "  index: {uses: folder, with: {root: no_videos}}\n"
        "  decode: {needs: index}\n"
        "  pose: {needs: decode, with: {detector: 'no_module:Detector'}}\n"
    )
    found = missing(Path("files.yaml"))
    assert [(finding.what, finding.detail.partition(":")[0]) for finding in found] == [
        ("pose.detector", "'no_module"),
        ("index.root", "no such file or folder"),
    ]


def test_weights_that_are_not_there_are_named_with_their_line() -> None:
    Path("m.yaml").write_text(
        "stages:\n  index: {uses: folder, with: {root: .}}\n  decode: {needs: index}\n"
        "  pose:\n    needs: decode\n    with:\n      estimator: onnx\n      weights: no.onnx\n"
    )
    [finding] = missing(Path("m.yaml"))
    assert finding.detail == "m.yaml:8: stage 'pose': 'weights': no such file: no.onnx"
