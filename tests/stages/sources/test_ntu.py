"""NTU RGB+D's files as an index."""

import os
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest
from ntu_files import names_60, names_120, sample_name

from pipeline.errors import ManifestError
from stages.sources.ntu import NTU, PROTOCOLS, TRAINING_SUBJECTS, Sample
from stages.sources.ntu_actions import ACTIONS

SUBJECTS = sorted(TRAINING_SUBJECTS)
COUNTS = {
    "ntu60_xsub": {"train": 40_320, "test": 16_560},
    "ntu60_xview": {"train": 37_920, "test": 18_960},
    "ntu120_xsub": {"train": 63_360, "test": 51_120},
    "ntu120_xset": {"train": 54_720, "test": 59_760},
}
LIST = "NTU_RGBD_samples_with_missing_skeletons.txt"


def touch(root: Path, *names: str) -> None:
    """Empty files, with their folders."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def rows(root: Path, protocol: str = "ntu60_xsub", **parameters: Any) -> dict[str, dict[str, Any]]:
    source = NTU.model_validate({"root": root, "protocol": protocol, **parameters})
    return {row["clip_id"]: row for row in source.clips().to_pylist()}


def test_files_are_found_by_name_wherever_they_lie(tmp_path: Path) -> None:
    first, second, third = (sample_name(1, camera, 2, 1, 7) for camera in (1, 2, 3))
    touch(
        tmp_path,
        f"nturgb+d_rgb/{first}_rgb.avi", f"nturgb+d_skeletons/{first}.skeleton",
        f"archives/s001/nturgb+d_rgb/{second}_rgb.MP4", f"{third}.skeleton",
        f"nturgb+d_ir/{first}_ir.avi", f"nturgb+d_depth_masked/{first}/MDepth-00000001.png", "nturgbd_rgb_s002.zip",
        f"nturgb+d_depth_masked/{first}/S009C001P002R001A007_rgb.avi",
    )  # fmt: skip
    found = rows(tmp_path)
    assert list(found) == [first, second, third]
    assert found[first]["path"] == str(tmp_path / f"nturgb+d_rgb/{first}_rgb.avi")
    assert found[first]["skeleton_path"] == str(tmp_path / f"nturgb+d_skeletons/{first}.skeleton")
    assert [row["source"] == "missing" for row in found.values()] == [False, False, True]
    assert [row["skeleton_source"] == "missing" for row in found.values()] == [False, True, False]
    assert {row["label"] for row in found.values()} == {"throw"}


def test_links_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    name = sample_name(1, 1, 2, 1, 7)
    touch(tmp_path, f"disk/{name}_rgb.avi", "root/a/b/file.txt")
    (tmp_path / "root/videos").symlink_to(tmp_path / "disk")
    (tmp_path / "root/a/b/up").symlink_to(tmp_path / "root")
    (tmp_path / "root/a/self").symlink_to(tmp_path / "root/a/self")
    assert rows(tmp_path / "root")[name]["path"] == str(tmp_path / f"root/videos/{name}_rgb.avi")


def test_deleted_files_are_not_found(tmp_path: Path) -> None:
    kept, deleted = (sample_name(1, camera, 2, 1, 7) for camera in (1, 2))
    touch(tmp_path, f"rgb/{kept}_rgb.avi", f".Trash-1000/files/{deleted}_rgb.avi", f"#recycle/{deleted}_rgb.avi")
    assert list(rows(tmp_path)) == [kept]


def test_the_first_of_two_files_of_a_sample_is_used(tmp_path: Path) -> None:
    name = sample_name(1, 1, 2, 1, 7)
    touch(tmp_path, f"small/deep/{name}.mp4", f"small/{name}.mp4", f"rgb/{name}_rgb.avi")
    source = NTU(root=tmp_path, protocol="ntu60_xsub")
    assert source.clips()["path"].to_pylist() == [str(tmp_path / f"rgb/{name}_rgb.avi")]
    assert [path for path, _ in source.skipped()] == [
        str(tmp_path / f"small/{where}{name}.mp4") for where in ("", "deep/")
    ]


def test_without_skeleton_files_skeletons_are_left_to_the_pose_stage(tmp_path: Path) -> None:
    names = [sample_name(1, camera, 2, 1, 7) for camera in (1, 2)]
    touch(tmp_path, *(f"{name}_rgb.avi" for name in names))
    assert {(row["skeleton_path"], row["skeleton_source"]) for row in rows(tmp_path).values()} == {(None, None)}
    touch(tmp_path, f"{names[0]}.skeleton")
    assert [row["skeleton_source"] == "missing" for row in rows(tmp_path).values()] == [False, True]
    assert {row["skeleton_path"] for row in rows(tmp_path, skeletons="none").values()} == {None}


def test_one_file_may_hold_the_skeletons_of_all(tmp_path: Path) -> None:
    names = [sample_name(1, camera, 2, 1, 7) for camera in (1, 2)]
    touch(tmp_path, *(f"{name}_rgb.avi" for name in names), f"{names[0]}.skeleton")
    poses = tmp_path / "ntu60_hrnet.pkl"
    with pytest.raises(ManifestError, match=r"there is no file .*ntu60_hrnet\.pkl"):
        rows(tmp_path, skeletons=poses)
    poses.write_bytes(b"12345")
    found = rows(tmp_path, skeletons=str(poses))
    assert {name: row["skeleton_entry"] for name, row in found.items()} == {name: name for name in names}
    assert {row["skeleton_path"] for row in found.values()} == {str(poses)}
    assert all(row["skeleton_source"].startswith("5:") for row in found.values())
    assert {row["skeleton_entry"] for row in rows(tmp_path).values()} == {None}


def test_the_official_counts(tmp_path: Path) -> None:
    """As many files as there are videos of NTU RGB+D 120."""
    root = str(tmp_path)
    for name in (*names_60(SUBJECTS[:20]), *names_120(SUBJECTS)):
        os.close(os.open(f"{root}/{name}_rgb.avi", os.O_CREAT))  # twice as fast as with Path
    for protocol in PROTOCOLS:
        clips = NTU.model_validate({"root": tmp_path, "protocol": protocol}).clips()
        assert Counter(clips["split"].to_pylist()) == COUNTS[protocol]
        assert set(clips["label"].to_pylist()) == set(ACTIONS[:60] if "60" in protocol else ACTIONS)


@pytest.mark.parametrize(
    ("protocol", "train", "test"),
    [
        ("ntu60_xsub", 40_091, 16_487),
        ("ntu60_xview", 37_646, 18_932),
        ("ntu120_xsub", 63_026, 50_919),
        ("ntu120_xset", 54_468, 59_477),
    ],
)
def test_counts_without_the_samples_that_the_real_lists_name(
    shared_data: Path, tmp_path: Path, protocol: str, train: int, test: int
) -> None:
    """The published counts, by the genuine names of the samples that lack skeletons."""
    touch(tmp_path, f"{sample_name(1, 1, 1, 1, 1)}.skeleton", f"{sample_name(1, 1, 3, 1, 1)}.skeleton")
    for path in (shared_data / "ntu").glob("*missing_skeletons.txt"):
        (tmp_path / path.name).symlink_to(path)
    source = NTU.model_validate({"root": tmp_path, "protocol": protocol})
    assert source.published() == {"train": train, "test": test}
    assert source.skipped() == [], "none of those is here"
    assert list(source.check(source.clips(), {})) == []


def test_listed_samples_are_left_out_unless_wanted(tmp_path: Path) -> None:
    kept, listed = sample_name(1, 1, 1, 1, 1), sample_name(1, 1, 3, 1, 2)
    touch(tmp_path, *(f"rgb/{name}_rgb.avi" for name in (kept, listed)))
    source = NTU(root=tmp_path, protocol="ntu60_xsub")
    assert source.clips()["clip_id"].to_pylist() == [kept, listed]
    (problem,) = source.check(source.clips(), {})
    assert not problem.fatal
    assert "0 of the 302 samples" in problem.text
    (tmp_path / LIST).write_text(f"The following\r\n\r\n{listed}\r\n{sample_name(18, 1, 1, 1, 61)}\r\n")
    source = NTU(root=tmp_path, protocol="ntu60_xsub")
    assert source.clips()["clip_id"].to_pylist() == [kept]
    assert [path for path, _ in source.skipped()] == [listed]
    assert source.published() == {"train": 40_320, "test": 16_559}
    everything = NTU(root=tmp_path, protocol="ntu60_xsub", leave_out=False)
    assert everything.clips()["clip_id"].to_pylist() == [kept, listed]
    assert everything.published() == {"train": 40_320, "test": 16_560}
    assert list(everything.check(everything.clips(), {})) == []


def test_performers_are_in_training_or_in_validation(tmp_path: Path) -> None:
    """With all cameras, setups and repetitions of what they do."""
    touch(tmp_path, *(name + ".skeleton" for name in names_60(SUBJECTS[:20]) if name.endswith(("A001", "A060"))))
    found = rows(tmp_path, val_share=0.2)
    of_performer = defaultdict(set)
    for name, row in found.items():
        of_performer[name[8:12]].add(row["split"])
        assert row["group"] == (None if row["split"] == "test" else name[8:12])
    assert all(len(one) == 1 for one in of_performer.values())
    counts = Counter(row["split"] for row in found.values())
    assert counts["test"] == 46 * 12
    assert 0.15 < counts["val"] / (112 * 12) < 0.25
    assert {row["split"] for row in rows(tmp_path).values()} == {"train", "test"}


def test_setups_are_in_training_or_in_validation(tmp_path: Path) -> None:
    touch(tmp_path, *(name + ".skeleton" for name in names_60(SUBJECTS[:20]) if name.endswith("A001")))
    of_setup = defaultdict(set)
    for name, row in rows(tmp_path, "ntu120_xset", val_share=0.2).items():
        of_setup[name[:4]].add(row["split"])
        assert row["group"] == (None if row["split"] == "test" else name[:4])
    assert Counter(map(tuple, of_setup.values())) == {("train",): 6, ("val",): 2, ("test",): 9}


def test_what_is_wrong_is_named(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=f"there is no folder {tmp_path / 'none'}"):
        rows(tmp_path / "none")
    touch(tmp_path, "nturgbd_rgb_s001.zip", "notes.txt")
    with pytest.raises(ManifestError, match=r"no file below .* it has nturgbd_rgb_s001\.zip: unpack"):
        rows(tmp_path)
    touch(tmp_path, f"{sample_name(18, 1, 1, 1, 61)}_rgb.avi")
    with pytest.raises(ManifestError, match=r"none of the 1 samples .* belongs to ntu60_xsub, which has setups"):
        rows(tmp_path)
    assert len(rows(tmp_path, "ntu120_xsub")) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    touch(tmp_path, f"{sample_name(1, 1, 1, 1, 1)}.skeleton", "closed/file")
    (tmp_path / "closed").chmod(0)
    source = NTU(root=tmp_path, protocol="ntu60_xsub")
    assert source.clips().num_rows == 1
    assert [path for path, _ in source.skipped()] == [str(tmp_path / "closed")]
    (tmp_path / "closed").chmod(0o700)


def test_names_of_samples() -> None:
    sample = Sample.named("S012C003P004R002A057_rgb")
    assert sample == ("S012C003P004R002A057", 12, 3, 4, 2, 57)
    for stem in ("S012C003P004R002A057_ir", "S12C003P004R002A057", "._S012C003P004R002A057", "S012C003P004R002A0570"):
        assert Sample.named(stem) is None


def test_names_of_actions(shared_data: Path) -> None:
    published = (shared_data / "ntu/label_map_ntu60.txt").read_text().splitlines()
    assert list(ACTIONS[:60]) == published
    assert len(set(ACTIONS)) == 120
