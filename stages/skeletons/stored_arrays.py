"""NumPy arrays of numbers that stay in a pickle until they are asked for.

NumPy's own pickles call a few functions by name. FUNCTIONS has those names, each with an implementation that knows
numbers alone, so that no array of objects is ever made.
"""

import math
import re
from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

_MOST_AXES = 32
"""Of an array, as in NumPy 1."""


class PickleRefused(ValueError):  # noqa: N818, it says what happened
    """The file is damaged, or holds something else than data. The text says what, as far as it can be known."""


class LongText:
    """A text that is left in the file: with some protocols, the bytes of arrays are such texts, one letter a byte."""

    __slots__ = ("codec", "content")

    def __init__(self, content: memoryview, codec: str) -> None:
        self.content = content
        self.codec = codec

    def may_be(self, count: int) -> bool:
        """Whether it can have this many letters, as far as its length tells."""
        return count <= len(self.content) <= count * (6 if self.codec == "raw-unicode-escape" else 2)

    def latin1(self) -> bytes:
        """The bytes that it stands for."""
        return str(self.content, self.codec).encode("latin-1")


class StoredDtype:
    """A type of numbers, from the two steps in which pickles make it."""

    __slots__ = ("numpy",)

    def __init__(self, name: object, align: object = False, copy: object = False) -> None:
        if not isinstance(name, str) or not re.fullmatch(r"[<>=|]?[biufc](1|2|4|8|16)", name):
            what = f"type {name:.40}" if isinstance(name, str) else "another kind"
            what = "objects" if what.startswith("type O") else what
            raise PickleRefused(f"it holds a NumPy array of {what}, not of numbers")
        self.numpy = np.dtype(name)

    def build(self, state: Any) -> None:
        """state: version, byte order, and what only arrays of structures or objects have."""
        _, order, *structure = state
        if any(part is not None for part in structure[:3]):
            raise PickleRefused("it holds a NumPy array of structures, not of numbers")
        if order not in ("<", ">", "=", "|"):
            raise PickleRefused("it holds a NumPy array whose bytes have an unknown order")
        self.numpy = self.numpy.newbyteorder(order)


class StoredArray:
    """An array that is still in the file."""

    __slots__ = ("_axes", "_content", "_dtype", "_order", "_shape")

    def __init__(self) -> None:
        self._dtype = np.dtype(np.uint8)
        self._shape: tuple[int, ...] = (0,)
        self._content: Any = b""
        self._order: Any = "C"
        self._axes: tuple[int, ...] | None = None

    def read(self) -> np.ndarray:
        """The array, read-only. Raises PickleRefused if the file has other bytes in its place."""
        content = self._content
        try:
            if isinstance(content, LongText):
                content = content.latin1()
            array = np.frombuffer(content, self._dtype).reshape(self._shape, order=self._order)
            return array if self._axes is None else array.transpose(self._axes)
        except ValueError as error:
            raise PickleRefused(f"the content of an array is damaged: {error}") from error

    def build(self, state: Any) -> None:
        """state: version, shape, type, whether the first index varies fastest, and the bytes."""
        _, shape, dtype, is_fortran, content = state
        self.fill(content, dtype, shape, "F" if is_fortran else "C")

    def fill(self, content: Any, dtype: Any, shape: Any, order: str, axes: tuple[int, ...] | None = None) -> None:
        """Take these bytes for the content, if they are as many as the shape and the type need."""
        if type(content) not in (bytes, memoryview, str, LongText):
            raise PickleRefused("it holds a NumPy array of objects, not of numbers")
        if type(dtype) is not StoredDtype or not _are_counts(shape) or len(shape) > _MOST_AXES:
            raise PickleRefused("it holds a NumPy array without a shape and a type")
        if type(content) is str:
            content = content.encode("latin-1")
        size = math.prod(shape) * dtype.numpy.itemsize
        if not (content.may_be(size) if type(content) is LongText else len(content) == size):
            raise PickleRefused(f"it holds a NumPy array that needs {size:,} bytes and has others")
        self._dtype, self._shape, self._content, self._order, self._axes = dtype.numpy, shape, content, order, axes


def _are_counts(values: Any) -> bool:
    return type(values) is tuple and all(type(value) is int and value >= 0 for value in values)


def _ndarray(*_: object) -> NoReturn:
    raise PickleRefused("it calls numpy.ndarray, as NumPy does not")


def _reconstruct(kind: object, shape: object, code: object) -> StoredArray:
    if kind is not _ndarray:
        raise PickleRefused("it holds an array of a class of its own")
    return StoredArray()


def _frombuffer(content: object, dtype: object, shape: object, order: str, axes: Any = None) -> StoredArray:
    if order not in ("C", "F", "K") or not (axes is None or _are_counts(axes)):
        raise PickleRefused("it holds a NumPy array in an unknown order")
    array = StoredArray()
    array.fill(content, dtype, shape, "F" if order == "F" else "C", axes)
    return array


def _scalar(dtype: object, content: object) -> Any:
    array = StoredArray()
    array.fill(content, dtype, (), "C")
    return array.read().item()


def _encode(text: Any, codec: str) -> Any:
    if codec not in ("latin1", "latin-1"):
        raise PickleRefused("it encodes text otherwise than pickles write bytes")
    return text if isinstance(text, LongText) else text.encode("latin-1")


def _empty_bytes() -> bytes:
    return b""


FUNCTIONS: dict[tuple[str, str], Callable[..., Any]] = {
    ("numpy", "ndarray"): _ndarray,
    ("numpy", "dtype"): StoredDtype,
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy.core.multiarray", "scalar"): _scalar,
    ("numpy._core.multiarray", "scalar"): _scalar,
    ("numpy.core.numeric", "_frombuffer"): _frombuffer,
    ("numpy._core.numeric", "_frombuffer"): _frombuffer,
    ("_codecs", "encode"): _encode,
    ("__builtin__", "bytes"): _empty_bytes,
    ("builtins", "bytes"): _empty_bytes,
}
"""What a pickle may call, by module and name."""
