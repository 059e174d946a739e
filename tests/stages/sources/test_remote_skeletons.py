"""Lists and skeleton files at URLs, on a real server: the same clips and the same skeletons as in a folder."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import fsspec
import numpy as np
import pyarrow as pa
import pytest

from pipeline.errors import ManifestError
from stages import local_files
from stages.pose.given import Skeletons
from stages.sources.files import skeleton_fingerprint
from stages.sources.folder import Folder
from stages.sources.listing import Listing
from stages.sources.pattern import Pattern
from stages.sources.pyskl import Pyskl
from stages.sources.skeleton_set import SkeletonSet
from stages.sources.split_lists import SplitLists

OWN_LAYOUT = "name: pair\njoints: [top, bottom]\nlimbs: [[top, bottom]]\n"


@pytest.fixture(autouse=True)
def _nothing_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    local_files._asked.clear()


def keypoints(seed: int, joints: int = 17) -> np.ndarray:
    return np.random.default_rng(seed).uniform(2, 90, (1, 12, joints, 3)).clip([0, 0, 1], [90, 90, 1])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "data"
    (root / "run" / "frames").mkdir(parents=True)
    for name in ("run/a.mp4", "run/b.mp4", "run/own.mp4", "run/frames.mp4"):
        (root / name).write_bytes(name.encode())
    np.savez(root / "run/a.npz", keypoints=keypoints(0), layout="coco17", size=[100, 100])
    np.savez(root / "run/own.npz", keypoints=keypoints(1, 2), layout="own.yaml", size=[100, 100])
    (root / "run/own.yaml").write_text(OWN_LAYOUT)
    for number in range(6):
        person = {"pose_keypoints_2d": keypoints(2)[0, number].ravel().tolist()}
        (root / f"run/frames/f_{number:012}_keypoints.json").write_text(json.dumps({"people": [person]}))
    annotations = [
        {
            "frame_dir": f"run/{name}",
            "label": number,
            "img_shape": (100, 100),
            "original_shape": (100, 100),
            "total_frames": 12,
            "keypoint": keypoints(number)[..., :2],
            "keypoint_score": keypoints(number)[..., 2],
        }
        for number, name in enumerate("ab")
    ]
    (root / "all.pkl").write_bytes(pickle.dumps({"split": {"all": ["run/a", "run/b"]}, "annotations": annotations}))
    np.savez(
        root / "set.npz",
        keypoints=np.concatenate([keypoints(3)[0], keypoints(4)[0]])[..., :2],
        offsets=[0, 12, 24],
        layout="coco17",
        size=[100, 100],
        label=[0, 1],
        class_names=["run", "sit"],
        training=[0],
    )
    (root / "names.txt").write_text("0 run\n1 sit\n")
    (root / "list.csv").write_text(
        "path,label,skeleton,split\nrun/a.mp4,run,run/a.npz,train\nrun/own.mp4,run,run/own.npz,test\n"
        "run/frames.mp4,run,run/frames,test\nrun/b.mp4,run,run/gone.npz,test\n"
    )
    (root / "many.jsonl").write_text('{"path": "run/a.mp4", "label": "run", "skeleton": "all.pkl"}\n')
    (root / "train_1.txt").write_text("run/a.mp4 0\n")
    (root / "train_2.txt").write_text("run/b.mp4 0\n")
    return root


@pytest.fixture
def url(folder: Path, upload: Callable[[Path], str]) -> str:
    return upload(folder)


COMPARED = ("clip_id", "label", "split", "skeleton_entry")


def rows(clips: pa.Table) -> list[dict[str, object]]:
    return clips.select(COMPARED).to_pylist()


def skeletons(clips: pa.Table) -> list[dict[str, object]]:
    return Skeletons(frames=4, size=(100, 100)).process(clips, {}, None).to_pylist()


SOURCES = {
    "list": lambda root: Listing(list=f"{root}/list.csv"),
    "list of clips in one file": lambda root: Listing(list=f"{root}/many.jsonl"),
    "folder": lambda root: Folder(root=root, skeletons=root),
    "folder and a file for all": lambda root: Folder(root=root, skeletons=f"{root}/all.pkl"),
    "corrections": lambda root: Folder(root=root, corrections=f"{root}/many.jsonl"),
    "pickle": lambda root: Pyskl(file=f"{root}/all.pkl", train="all", labels=f"{root}/names.txt", root=root),
    "set": lambda root: SkeletonSet(file=f"{root}/set.npz", train={"clip": "training"}),
    "pattern": lambda root: Pattern(root=root, pattern="{label}/{clip}.mp4", labels={"run": "run"}),
    "split lists": lambda root: SplitLists(root=root, train=f"{root}/train_*.txt", classes=f"{root}/names.txt"),
}


@pytest.mark.parametrize("name", SOURCES)
def test_clips_and_skeletons_are_those_of_a_folder(name: str, folder: Path, url: str) -> None:
    here, there = (SOURCES[name](root).clips() for root in (folder, url))
    assert rows(there) == rows(here) and here.num_rows
    expected = skeletons(here)
    for one, other in zip(skeletons(there), expected, strict=True):
        one["error"] = one["error"] and one["error"].replace(url, str(folder))
        if "no such file" not in (one["error"] or ""):
            assert one == other
    assert {row["error"] is None for row in expected} != {False} or name in ("pattern", "split lists", "corrections")


def test_what_is_not_there_is_its_clip_s_failure(url: str) -> None:
    clips = Listing(list=f"{url}/list.csv").clips()
    place = clips["clip_id"].to_pylist().index("run/b.mp4")
    assert clips["skeleton_source"].to_pylist()[place] == "missing"
    assert skeletons(clips)[place]["error"] == "no such file: was it moved or renamed?"


def test_a_change_of_a_file_or_of_its_layout_changes_what_the_index_says_of_it(url: str) -> None:
    filesystem, _ = fsspec.core.url_to_fs(url)
    names = ("run/a.npz", "run/own.npz", "run/frames", "all.pkl", "set.npz")
    before = {name: skeleton_fingerprint(f"{url}/{name}") for name in names}
    assert {name: skeleton_fingerprint(f"{url}/{name}") for name in names} == before
    assert "missing" not in before.values()
    filesystem.pipe_file(f"{url}/run/own.yaml", OWN_LAYOUT.replace("pair", "other").encode())
    filesystem.pipe_file(f"{url}/run/frames/f_000000000003_keypoints.json", b'{"people": []}')
    filesystem.pipe_file(f"{url}/all.pkl", b"changed")
    after = {name: skeleton_fingerprint(f"{url}/{name}") for name in names}
    assert [name for name in names if after[name] == before[name]] == ["set.npz"]
    assert skeleton_fingerprint(f"{url}/none.npz") == "missing"


def test_a_list_that_has_changed_is_read_anew(url: str) -> None:
    filesystem, _ = fsspec.core.url_to_fs(url)
    assert len(Listing(list=f"{url}/many.jsonl").clips()) == 1
    filesystem.pipe_file(f"{url}/many.jsonl", b'{"path": "run/a.mp4"}\n{"path": "run/b.mp4"}\n')
    local_files._asked.clear()
    assert len(Listing(list=f"{url}/many.jsonl").clips()) == 2


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (lambda root: Listing(list=f"{root}/none.csv"), "list: there is no file {}/none.csv"),
        (lambda root: Listing(list=f"{root}/wrong.csv"), "list: {}/wrong.csv, line 3: split must be one of"),
        (lambda root: Pyskl(file=f"{root}/none.pkl"), "file: there is no file {}/none.pkl"),
        (lambda root: Pyskl(file=f"{root}/wrong.csv"), "file: skeleton file {}/wrong.csv cannot be read as a pickle"),
        (lambda root: Folder(root=root, skeletons=f"{root}/wrong.pkl"), "skeletons: skeleton file {}/wrong.pkl cannot"),
        (lambda root: SkeletonSet(file=f"{root}/none.npz", train="a"), "file: there is no file {}/none.npz"),
        (lambda root: SplitLists(root=root, train=f"{root}/none_*.txt"), "train: no list is called {}/none_*.txt"),
        (
            lambda root: SplitLists(root=root, train=f"{root}/train_1.txt", classes=f"{root}/wrong.txt"),
            "{}/wrong.txt, line 2",
        ),
    ],
)
def test_errors_name_the_url(source: object, message: str, url: str) -> None:
    filesystem, _ = fsspec.core.url_to_fs(url)
    for name in ("wrong.csv", "wrong.pkl"):
        filesystem.pipe_file(f"{url}/wrong.txt", b"0 run\nsit\n")
        filesystem.pipe_file(f"{url}/{name}", b"path,split\nrun/a.mp4,train\nrun/b.mp4,never\n")
    with pytest.raises(ManifestError) as raised:
        source(url).clips()
    assert message.format(url) in str(raised.value) and "cache" not in str(raised.value)
