"""Videos with split lists: what is found, what is missing, what is refused."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from pipeline.errors import ManifestError
from stages.sources.split_lists import SplitLists


def put(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(name)
    return root


def write(file: Path, *lines: str) -> str:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(lines))
    return str(file)


def test_ucf101(tmp_path: Path) -> None:
    names = ("Archery/v_Archery_g01_c01.avi", "Biking/v_Biking_g01_c02.avi", "Biking/v_Biking_g02_c01.avi")
    root = put(tmp_path / "ucf", *(f"UCF-101/{name}" for name in names), "UCF-101/Biking/v_Biking_g03_c01.avi")
    source = SplitLists(
        root=root,
        train=write(tmp_path / "trainlist01.txt", f"{names[0]} 1\r", f"{names[1]} 2\r", "Archery/gone_g09_c01.avi 1\r"),
        test=write(tmp_path / "testlist01.txt", names[2]),
        classes=write(tmp_path / "classInd.txt", "1 Archery\r", "2 Biking\r", ""),
        group="{group}_c{clip}",
    )
    rows = {row["clip_id"]: row for row in source.clips().to_pylist()}
    assert {name: (row["label"], row["split"], row["group"]) for name, row in rows.items()} == {
        names[0]: ("Archery", "train", "v_Archery_g01"),
        names[1]: ("Biking", "train", "v_Biking_g01"),
        names[2]: ("Biking", "test", "v_Biking_g02"),
        "Archery/gone_g09_c01.avi": ("Archery", "train", "gone_g09"),
    }
    gone = rows.pop("Archery/gone_g09_c01.avi")
    assert (gone["source"], gone["path"]) == ("missing", str(root / "Archery/gone_g09_c01.avi"))
    assert all(Path(row["path"]) == root / "UCF-101" / name for name, row in rows.items())
    assert source.skipped() == [("UCF-101/Biking/v_Biking_g03_c01.avi", "in no list")]


def test_hmdb51(tmp_path: Path) -> None:
    names = ["#2_[old]_Films_(x)!_hug_u_nm_np1_fr_goo_0.avi", "a;b_hug_u_0.avi", "c & d_hug_u_0.avi"]
    root = put(tmp_path / "hmdb [51]", *(f"videos/hug/{name}" for name in names), "videos/run/e_run_f_0.avi")
    write(root / "splits/hug_test_split1.txt", *(f"{name} {mark} " for name, mark in zip(names, "102", strict=True)))
    write(root / "splits/run_test_split1.txt", "e_run_f_0.avi 1 ")
    write(root / "splits/run_test_split2.txt", "nothing.avi 3")
    lists = f"{root}/splits/*_test_split1.txt"
    source = SplitLists(root=root, train=lists, test=lists, group="{group}_{label}_{clip}")
    assert [(row["clip_id"], row["label"], row["split"], row["group"]) for row in source.clips().to_pylist()] == [
        (f"hug/{names[0]}", "hug", "train", "#2_[old]_Films_(x)!"),
        (f"hug/{names[2]}", "hug", "test", "c & d"),
        ("run/e_run_f_0.avi", "run", "train", "e"),
    ]
    assert (f"videos/hug/{names[1]}", "in a list, but not for any of the splits") in source.skipped()
    with pytest.raises(ManifestError, match=r"run_test_split2\.txt, line 1: 'nothing\.avi 3' must end with 0, 1 or 2"):
        SplitLists(root=root, train=f"{root}/splits/*_test_split2.txt").clips()


def test_kinetics(tmp_path: Path) -> None:
    root = put(tmp_path / "k", "air_drumming/-a_000005_000015.mp4", "long/bb.mkv", "long/cc.webm")
    header = "label,youtube_id,time_start,time_end,split,is_cc"
    rows = [
        '"air drumming",-a,5,15,train,0',
        "eating, raw,bb,10,20,train,0",
        "yoga,bb,40,50,train,0",
        "yoga,dd,0,10,train,0",
    ]
    train = write(tmp_path / "train.csv", header, *rows)
    with pytest.raises(ManifestError, match=r"train\.csv, line 3: time_start and time_end must be seconds"):
        SplitLists(root=root, train=train).clips()
    rows[1] = rows[1].replace("eating, raw", '"eating, raw"')
    write(tmp_path / "train.csv", header, *rows)
    test = write(tmp_path / "val.csv", header, "yoga,cc,3.0,13.0,validate,0")
    source = SplitLists(root=root, train=train, test=test)
    found = [
        tuple(row[key] for key in ("clip_id", "label", "start", "end", "group")) for row in source.clips().to_pylist()
    ]
    assert found == [
        ("-a_000005_000015", "air drumming", None, None, None),
        ("bb_000010_000020", "eating, raw", 10.0, 20.0, "bb"),
        ("bb_000040_000050", "yoga", 40.0, 50.0, "bb"),
        ("cc_000003_000013", "yoga", 3.0, 13.0, None),
        ("dd_000000_000010", "yoga", None, None, None),
    ]
    with pytest.raises(ManifestError, match=r"line 4: bb_000040_000050 is listed twice, for train \(.*line 3\)"):
        SplitLists(root=root, train=train, test=test, trimmed=True).clips()
    mixed = write(tmp_path / "all.csv", header, rows[0], "yoga,cc,3,13,validate,0")
    table = SplitLists(root=root, train=mixed, val=mixed, trimmed=True).clips()
    assert table["split"].to_pylist() == ["train", "val"] and table["start"].null_count == 2
    with pytest.raises(ManifestError, match=r"test: .*all\.csv: no line is of this split"):
        SplitLists(root=root, train=mixed, test=mixed).clips()


def test_mmaction2_and_folders_of_images(tmp_path: Path) -> None:
    root = put(tmp_path / "videos", "x y/a 1.mp4", "b.MP4", "sub/c.avi")
    names = write(tmp_path / "label_map.txt", "walking dog", "run")
    lists = write(tmp_path / "train.txt", "x y/a 1.mp4 0", "b.MP4\t1", '"sub\\c.avi",1')
    table = SplitLists(root=root, train=lists, classes=names).clips()
    assert table["clip_id"].to_pylist() == ["b.MP4", "sub/c.avi", "x y/a 1.mp4"]
    assert table["label"].to_pylist() == ["run", "run", "walking dog"] and "missing" not in table["source"].to_pylist()
    images = put(tmp_path / "frames", *(f"rawframes/{clip}/img_{i}.jpg" for clip in ("a.b", "c") for i in range(3)))
    table = SplitLists(root=images, train=write(tmp_path / "f.txt", "a.b 3 0", "c 3 1"), classes=names).clips()
    assert [Path(path).name for path in table["path"].to_pylist()] == ["a.b", "c"]
    assert table["source"][0].as_py().startswith("3:")


def test_something_something(tmp_path: Path) -> None:
    root = put(tmp_path / "v", "20bn/78687.webm")
    text = (
        '[{"id": "78687", "label": "holding potato", "template": "Holding [something]"}, {"id": 5, "template": "Up"}]'
    )
    first, second = SplitLists(root=root, train=write(tmp_path / "5.json", text)).clips().to_pylist()
    assert (first["clip_id"], first["label"], first["source"]) == ("5", "Up", "missing")
    assert (second["label"], second["path"]) == ("Holding something", str(root / "20bn/78687.webm"))


def test_paths_that_say_more_or_less_than_the_folder(tmp_path: Path) -> None:
    root = put(tmp_path / "v", "run/a.mkv", "sit/a.mkv", "sit/b.mp4")
    lists = write(tmp_path / "l.txt", "/home/x/run/a.mp4 run", "data/sit/a.avi sit", "b.mp4 sit")
    rows = SplitLists(root=root, train=lists).clips().to_pylist()
    assert [(row["clip_id"], row["path"]) for row in rows] == [
        ("b.mp4", str(root / "sit/b.mp4")),
        ("data/sit/a.avi", str(root / "sit/a.mkv")),
        ("run/a.mkv", str(root / "run/a.mkv")),
    ]
    with pytest.raises(ManifestError, match=r"l2\.txt, line 1: a\.mp4 could be run/a\.mkv or sit/a\.mkv"):
        SplitLists(root=root, train=write(tmp_path / "l2.txt", "a.mp4 run")).clips()


def test_what_is_listed_twice_is_named(tmp_path: Path) -> None:
    root = put(tmp_path / "v", "run/a.mp4", "sit/b.mp4")
    train = write(tmp_path / "train.txt", "run/a.mp4 0", "sit/b.mp4 1")
    test = write(tmp_path / "test.txt", "", "./v/run/a.mp4 0", "sit/gone.mp4 1")
    with pytest.raises(ManifestError) as caught:
        SplitLists(root=root, train=train, test=test).clips()
    text = (
        f"test.txt, line 2: ./v/run/a.mp4 is listed twice, for train (train: {train}, line 1) and for test: list each"
    )
    assert text in str(caught.value)


def test_official_lists_may_divide_a_group(tmp_path: Path) -> None:
    root = put(tmp_path / "v", "run/v_g1_c1.mp4", "run/v_g1_c2.mp4", "sit/v_g2_c1.mp4")
    train = write(tmp_path / "train.txt", "run/v_g1_c1.mp4 0", "sit/v_g2_c1.mp4 1")
    source = SplitLists(root=root, train=train, test=write(tmp_path / "t.txt", "run/v_g1_c2.mp4"), group="{group}_c{n}")
    (problem,) = source.check(source.clips(), {})
    assert problem.text.startswith("clips of 1 recording (column group), such as v_g1,") and not problem.fatal


def test_what_cannot_be(tmp_path: Path) -> None:
    root = put(tmp_path, "a/b.mp4")
    with pytest.raises(ValidationError, match="train, test and val name no list"):
        SplitLists(root=root)
    with pytest.raises(ValidationError, match=r"no field \{group\}"):
        SplitLists(root=root, train="x.txt", group="{clip}_c1")
    with pytest.raises(ManifestError, match=r"train: no list is called .*\*\.txt"):
        SplitLists(root=root, train=f"{root}/*.txt").clips()
    with pytest.raises(ManifestError, match=r"test: there is no file .*none\.txt"):
        SplitLists(root=root, test=f"{root}/none.txt").clips()
    with pytest.raises(ManifestError, match=r"group: no name matches \{group\}_c\{n\}, such as a/b"):
        SplitLists(root=root, train=write(tmp_path / "l.txt", "a/b.mp4"), group="{group}_c{n}").clips()


@pytest.mark.parametrize(
    "name", ["array.json", "excel_german.csv", "labels_are_numbers.jsonl", "no_split.csv", "tabs.tsv", "windows.csv"]
)
def test_lists_of_another_kind_are_sent_to_listing(name: str, shared_data: Path) -> None:
    folder = shared_data / "awkward/l01_lists"
    with pytest.raises(ManifestError, match=rf"{name}.* are? read with `uses: listing`|{name}.* is read with `uses: l"):
        SplitLists(root=folder, train=str(folder / name)).clips()


def test_a_list_of_paths_and_numbers(shared_data: Path) -> None:
    folder = shared_data / "awkward/l01_lists"
    table = SplitLists(root=folder, train=str(folder / "list.txt")).clips()
    assert [name.partition("/")[0] for name in table["clip_id"].to_pylist()] == table["label"].to_pylist()
    assert len(table) == 10 and "missing" not in table["source"].to_pylist()
