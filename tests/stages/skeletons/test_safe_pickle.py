"""Pickles of plain data and arrays are read as Python reads them; whatever else a pickle wants is refused by name."""

import builtins
import collections
import copyreg
import datetime
import io
import os
import pickle
import random
import re
import time
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stages.skeletons.safe_pickle import MOST_WAITING, read_pickle
from stages.skeletons.stored_arrays import LongText, PickleRefused, StoredArray

PROTOCOLS = range(6)
RNG = np.random.default_rng(0)
BIG = RNG.uniform(0, 1000, (2, 30, 17, 2))

NUMPY_1 = [(b"numpy._core.multiarray", b"numpy.core.multiarray"), (b"numpy._core.numeric", b"numpy.core.numeric")]


def write(folder: Path, content: bytes) -> Path:
    path = folder / "a.pkl"
    path.write_bytes(content)
    return path


def filled(value: Any) -> Any:
    """The value with arrays in the place of stored ones."""
    if isinstance(value, StoredArray):
        return value.read()
    if isinstance(value, dict):
        return {key: filled(one) for key, one in value.items()}
    return type(value)(filled(one) for one in value) if isinstance(value, list | tuple) else value


def refusal(folder: Path, content: bytes) -> str:
    with pytest.raises(PickleRefused) as error:
        read_pickle(write(folder, content))
    return str(error.value)


def same(found: Any, wanted: Any) -> bool:
    if isinstance(wanted, np.ndarray):
        return found.dtype == wanted.dtype and np.array_equal(found, wanted)
    if isinstance(wanted, dict):
        return list(found) == list(wanted) and all(same(found[key], one) for key, one in wanted.items())
    if isinstance(wanted, list | tuple):
        return type(found) is type(wanted) and all(map(same, found, wanted)) and len(found) == len(wanted)
    return type(found) is type(wanted) and found == wanted


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "value",
    [
        [None, True, False, 0, 1, 255, 256, 65536, -1, 2**31, -(2**63), 2**64 - 1, 1.5, -1e300],
        ["", "text", "täxt €\n", b"", b"bytes", b"\xff\x00\n"],
        [(), (1,), (1, 2), (1, 2, 3), (1, 2, 3, (4, [5], {"six": 7}))],
        {"a": {"b": [{"c": list(range(3000))}]}, 3: 4},
        BIG,
        [BIG.astype(kind) for kind in ("f2", "f4", "f8", ">f4", "i1", "u2", "i8", "c8", "?")],
        [np.asfortranarray(BIG), BIG.transpose(1, 2, 0, 3), BIG[:, ::2], np.zeros((0, 17, 2)), np.array(3.5)],
    ],
    ids=["numbers", "text", "tuples", "containers", "array", "kinds", "orders"],
)
def test_data_is_read_as_python_reads_it(value: Any, protocol: int, tmp_path: Path) -> None:
    assert same(filled(read_pickle(write(tmp_path, pickle.dumps(value, protocol)))), value)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_numpys_numbers_become_pythons(protocol: int, tmp_path: Path) -> None:
    value = [np.float16(0.5), np.float64(0.1), np.int64(-7), np.uint8(200), np.bool_(True)]
    found = read_pickle(write(tmp_path, pickle.dumps(value, protocol)))
    assert found == [0.5, 0.1, -7, 200, True]
    assert [type(one) for one in found] == [float, float, int, int, bool]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_arrays_of_numpy_1(protocol: int, tmp_path: Path) -> None:
    content = pickle.dumps([BIG, np.float32(1.5)], protocol)
    for new, old in NUMPY_1:
        content = content.replace(new, old)
        content = content.replace(bytes([0x8C, len(new)]) + old, bytes([0x8C, len(old)]) + old)
    assert b"_core" not in content
    array, number = read_pickle(write(tmp_path, content))
    assert np.array_equal(array.read(), BIG)
    assert number == 1.5


def test_what_is_there_twice_is_one_object(tmp_path: Path) -> None:
    array, names = np.ones((50, 50)), ["a", "b"]
    found = read_pickle(write(tmp_path, pickle.dumps([array, names, array, names], 4)))
    assert found[0] is found[2]
    assert found[1] is found[3]


def test_arrays_stay_in_the_file_until_they_are_asked_for(tmp_path: Path) -> None:
    arrays = [np.full(1_000_000, i, np.float32) for i in range(20)]
    for protocol in (2, 4):
        path = write(tmp_path, pickle.dumps(arrays, protocol))
        tracemalloc.start()
        found = read_pickle(path)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 1_000_000
        assert np.array_equal(found[7].read(), arrays[7])
        assert not found[7].read().flags.writeable


class Wanting:
    """Pickles as a call of a function."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


class Plain:
    pass


def persistent() -> bytes:
    class Pickler(pickle.Pickler):
        def persistent_id(self, value: Any) -> str | None:
            return "elsewhere" if value == "x" else None

    file = io.BytesIO()
    Pickler(file, 2).dump(["x"])
    return file.getvalue()


def extension() -> bytes:
    copyreg.add_extension("collections", "OrderedDict", 77)
    try:
        return pickle.dumps(collections.OrderedDict(), 2)
    finally:
        copyreg.remove_extension("collections", "OrderedDict", 77)


STRUCTURES = np.zeros(3, [("x", "f4"), ("who", "O")])
HOSTILE = {
    "os.system": (pickle.dumps(Wanting(os.system, "touch hit"), 2), "it wants posix.system, which is not data"),
    "os.system 4": (pickle.dumps(Wanting(os.system, "touch hit"), 4), "it wants posix.system, which is not data"),
    "os.system 0": (pickle.dumps(Wanting(os.system, "touch hit"), 0), "it wants posix.system"),
    "INST": (b"(S'touch hit'\nios\nsystem\n.", "it wants STRING"),
    "INST without text": (b"(ios\nsystem\n.", "it wants INST of os.system"),
    "OBJ": (b"(cos\nsystem\no.", "it wants os.system"),
    "eval": (pickle.dumps(Wanting(builtins.eval, "open('hit', 'w')"), 2), "it wants __builtin__.eval"),
    "eval 5": (pickle.dumps(Wanting(builtins.eval, "open('hit', 'w')"), 5), "it wants builtins.eval"),
    "deep in arrays": (pickle.dumps([BIG, {"a": (Wanting(os.system, "touch hit"),)}], 5), "it wants posix.system"),
    "getattr": (b"c__builtin__\ngetattr\n.", "it wants __builtin__.getattr"),
    "a class": (pickle.dumps(Plain(), 2), r"it wants copy_reg._reconstructor|it wants .*\.Plain"),
    "a class 0": (pickle.dumps(Plain(), 0), "it wants copy_reg._reconstructor"),
    "a date": (pickle.dumps(datetime.date(2020, 1, 1), 4), "it wants datetime.date"),
    "a dictionary in order": (pickle.dumps(collections.OrderedDict(), 4), "it wants collections.OrderedDict"),
    "a set": (pickle.dumps({1, 2}, 4), "it wants EMPTY_SET"),
    "a path": (pickle.dumps(Path("hit"), 4), "it wants pathlib"),
    "objects": (pickle.dumps(np.array([Wanting(os.system, "touch hit")]), 4), "it holds a NumPy array of objects"),
    "objects 5": (pickle.dumps(np.array([{}, 1], object), 5), "it holds a NumPy array of objects"),
    "structures": (pickle.dumps(STRUCTURES, 4), "it holds a NumPy array of type V12"),
    "text in arrays": (pickle.dumps(np.array(["a", "b"]), 4), "it holds a NumPy array of type U1"),
    "dates in arrays": (pickle.dumps(np.zeros(2, "M8[s]"), 4), "it holds a NumPy array of type M8"),
    "a matrix": (pickle.dumps(np.zeros((2, 2)).view(np.recarray), 4), "it wants numpy.*recarray"),
    "masked": (pickle.dumps(np.ma.zeros(3), 4), "it wants numpy.ma.*_mareconstruct"),
    "a generator": (pickle.dumps(RNG, 4), "it wants numpy.random"),
    "persistent id": (persistent(), "it wants BINPERSID"),
    "persistent id 0": (b"Pelsewhere\n.", "it wants PERSID"),
    "extension": (extension(), "it wants EXT1"),
    "elsewhere": (pickle.dumps(BIG, 5, buffer_callback=lambda _: None), "it wants NEXT_BUFFER"),
    "ndarray itself": (b"cnumpy\nndarray\n(K\x02tR.", "it calls numpy.ndarray"),
    "another encoding": (b"c_codecs\nencode\n(X\x01\0\0\0aX\x03\0\0\0hextR.", "it encodes text otherwise"),
    "attributes": (b"]}X\x01\0\0\0aK\x01sb.", "it changes the attributes of a list"),
    "calls a list": (b"](tR.", "it calls a list"),
    "appends to a number": (b"K\x01K\x02a.", "it appends to a int"),
    "bytes of 4 GB": (b"\x80\x04B\xff\xff\xff\xff" + bytes(90), "4,294,967,295 bytes follow, but it ends after 97"),
    "bytes of 16 EB": (b"\x80\x04\x8e" + b"\xff" * 8 + bytes(90), "says that 18,446,744,073,709,551,615 bytes follow"),
    "text of 4 GB": (b"\x80\x04X\xff\xff\xff\xff" + bytes(90), "says that 4,294,967,295 bytes follow"),
    "integer of 2 GB": (b"\x80\x04\x8b\xff\xff\xff\x7f" + bytes(90), "it holds an integer of 2,147,483,647 bytes"),
    "a long number": (b"I" + b"9" * 100_000 + b"\n.", "a line does not end"),
    "a long name": (b"c" + b"a" * 100_000 + b"\nb\n.", "a line does not end"),
    "array of 8 TB": (
        pickle.dumps(np.zeros((1, 3)), 4).replace(b"K\x01K\x03\x86", b"J\xff\xff\xff\x7fM\x00\x02\x86"),
        r"needs 8,796,\d\d\d,\d\d\d,\d\d\d bytes and has others",
    ),
    "marks": (b"\x80\x04" + b"(" * 1_000_000, "it nests endlessly"),
    "lists": (b"\x80\x04" + b"]" * (MOST_WAITING + 1) + b"a" * MOST_WAITING + b".", "it nests endlessly"),
    "laughs as a key": (b"\x80\x04)" + b"q\x00h\x00\x86" * 1000 + b"q\x00}h\x00K\x01s.", "has a tuple for a key"),
    "laughs as a function": (b"\x80\x04)" + b"q\x00h\x00\x86" * 1000 + b")R.", "it calls a tuple"),
    "laughs as a type": (b"\x80\x04cnumpy\ndtype\n)" + b"q\x00h\x00\x86" * 1000 + b"\x85R.", "of another kind"),
    "nothing on the stack": (b"\x80\x04.", "it is not a pickle, or damaged"),
    "no memo": (b"\x80\x04h\x07.", "it is not a pickle, or damaged"),
    "text": (b"hello, world", "it is not a pickle, or damaged"),
    "a ZIP": (b"PK\x03\x04" + bytes(50), "PERSID"),
    "empty": (b"", "it is empty"),
    "cut off": (pickle.dumps(BIG, 4)[:-300], "bytes follow, but it ends after"),
    "cut off before its end": (pickle.dumps([1, 2, 3], 2)[:-1], "it is not a pickle, or damaged"),
}


@pytest.mark.parametrize(("content", "wanted"), HOSTILE.values(), ids=HOSTILE.keys())
def test_everything_else_is_refused_and_nothing_happens(
    content: bytes, wanted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = write(tmp_path, content)
    tracemalloc.start()
    began = time.perf_counter()
    with pytest.raises(PickleRefused) as error:
        read_pickle(path)
    seconds, peak = time.perf_counter() - began, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert re.search(wanted, str(error.value)), str(error.value)
    assert len(str(error.value)) < 300
    assert not (tmp_path / "hit").exists()
    assert seconds < 30
    assert peak < 100_000_000


def test_laughs_take_no_memory_and_no_time(tmp_path: Path) -> None:
    """A list of two of a list of two ...: 2 to the power of 1000 in all, of which each is there once."""
    content = b"\x80\x04]" + b"q\x00](h\x00h\x00e" * 1000 + b"."
    tracemalloc.start()
    found = read_pickle(write(tmp_path, content))
    assert tracemalloc.get_traced_memory()[1] < 1_000_000
    tracemalloc.stop()
    assert found[0] is found[1]


def test_an_array_with_other_bytes_than_latin_1_is_found_out_when_it_is_read(tmp_path: Path) -> None:
    content = pickle.dumps(np.full(2000, 0x4141, np.uint16), 2).replace(b"AA", "€".encode()[:2], 1)
    [found] = [read_pickle(write(tmp_path, content))]
    with pytest.raises(PickleRefused, match="the content of an array is damaged"):
        found.read()


def test_long_text_is_left_in_the_file(tmp_path: Path) -> None:
    found = read_pickle(write(tmp_path, pickle.dumps("long " * 1000, 4)))
    assert isinstance(found, LongText)
    assert found.latin1() == b"long " * 1000


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_damage_anywhere_is_data_or_refused(protocol: int, tmp_path: Path) -> None:
    """Bytes are changed, cut out and put in at random places."""
    rng = random.Random(protocol)
    value = {"split": {"train": ["a", "b"]}, "annotations": [{"frame_dir": "a", "label": np.int64(1), "x": BIG[:, :2]}]}
    sound = pickle.dumps(value, protocol)
    path, refused = tmp_path / "a.pkl", 0
    for _ in range(400):
        content = bytearray(sound)
        for _ in range(rng.choice([1, 1, 2, 8])):
            place = rng.randrange(len(content))
            match rng.randrange(3):
                case 0:
                    content[place] = rng.randrange(256)
                case 1:
                    del content[place : place + rng.choice([1, 2, 50])]
                case _:
                    content[place:place] = bytes(rng.randrange(256) for _ in range(rng.choice([1, 4])))
        path.write_bytes(content)
        try:
            filled(read_pickle(path))
        except PickleRefused:
            refused += 1
    assert refused > 100
