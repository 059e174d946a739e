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
    assert {"CPU cores", "memory", "GPU", "weights"} <= findings.keys()


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
        "  pose: {needs: decode, with: {estimator: hrnet_mini, detector: 'no_module:Detector'}}\n"
    )
    index, detector = missing(Path("files.yaml"))
    assert index.detail.startswith("files.yaml:2: stage 'index': root: there is no folder no_videos")
    assert (detector.what, detector.detail.partition(" ")[0]) == ("pose", "detector:")
    assert "no_module:Detector cannot be imported" in detector.detail


def test_what_stages_say_of_the_data() -> None:
    rows = ["path,label,split", *(f"{i}.mp4,{'ab'[i % 2]},test" for i in range(4))]
    Path("list.csv").write_text("\n".join(rows))
    Path("m.yaml").write_text(
        "stages:\n  index: {uses: listing, with: {list: list.csv}}\n  decode: {needs: index, with: {frames: 8}}\n"
        "  cache: {needs: decode, with: {size: 64}}\n"
        "  train: {needs: cache, with: {frames: 12, model: {modality: rgb, size: 96}}}\n"
    )
    findings = list(examine(Path("m.yaml")))
    found = {(finding.what, finding.verdict): finding.detail for finding in findings}
    assert [finding.detail for finding in findings if finding.what == "index"] == [
        "4 clips", "test: 4, 2 classes; videos of 0 clips there",
        "4 of 4 clips lack their file, more than max_failed (5%) allows",
    ]  # fmt: skip
    assert found["decode", "missing"].startswith("4 of the 4 files in the index do not exist, such as ")
    assert found["train", "missing"].startswith("no clip has the split train (there are: test)")


def test_weights_that_are_not_there_are_named_with_their_line() -> None:
    Path("m.yaml").write_text(
        "stages:\n  index: {uses: folder, with: {root: .}}\n  decode: {needs: index}\n"
        "  pose:\n    needs: decode\n    with:\n      estimator: onnx\n      weights: no.onnx\n"
    )
    [finding] = missing(Path("m.yaml"))
    assert finding.detail == "m.yaml:8: stage 'pose': 'weights': no such file: no.onnx"


def test_a_manifest_is_examined_with_its_settings() -> None:
    Path("m.yaml").write_text("stages: {index: {uses: 'toy_stages:Numbers', with: {count: 3}}}\n")
    for settings, clips in (((), "3 clips"), (["index.count=7"], "7 clips")):
        found = {finding.what: finding.detail for finding in examine(Path("m.yaml"), settings)}
        assert found["index"] == clips
