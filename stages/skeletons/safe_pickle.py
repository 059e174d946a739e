"""Reads pickles that hold plain data and NumPy arrays of numbers, executes nothing, and leaves the arrays in the file.

A pickle is a program for a small machine with a stack, whose instructions may import and call anything. This machine
knows only the instructions that build numbers, text, lists, tuples and dictionaries, and the few functions by which
NumPy 1 and 2 write arrays (``stored_arrays.FUNCTIONS``). Everything else is refused by name.

The file is mapped into memory, not read: an array is a place in it until ``StoredArray.read``. Whatever a length in the
file claims, nothing is larger than the file, and the number of objects has a limit.
"""

import mmap
import pickletools
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from stages.skeletons.stored_arrays import FUNCTIONS, LongText, PickleRefused, StoredArray, StoredDtype

MOST_INSTRUCTIONS = 30_000_000
"""Of a pickle: those of 100,000 clips are 7 million. Each may take 100 bytes of memory."""
MOST_WAITING = 200_000
"""Values on the stack at a time. Writers put them into their lists by the thousand, but into tuples all at once."""
DEEPEST = 200
"""Containers that are begun and not finished."""
LONGEST_INTEGER = 9
"""Bytes of an integer; those of NumPy have 8, and the ninth has the sign."""
LONGEST_LINE = 256
"""Bytes of a name or a number written as text."""
SMALL = 1024
"""Bytes of text or of an array up to which they are copied; above, they stay in the file."""
FORGET_AFTER = 1 << 26
"""Bytes after which the pages of the file that were looked at are given back."""


def read_pickle(path: Path) -> Any:
    """The value in a file: Python's numbers, text, bytes, lists, tuples and dictionaries, and StoredArray.

    Text of more than SMALL bytes is LongText, and bytes of more are a memoryview. Raises PickleRefused.
    """
    with path.open("rb") as file:
        try:
            content = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError as error:
            raise PickleRefused("it is empty") from error
    machine = _Machine(content)
    try:
        return machine.run()
    except PickleRefused:
        raise
    except (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError) as error:
        where = f"at byte {machine.place:,} of {len(content):,}"
        raise PickleRefused(f"it is not a pickle, or damaged, {where}: {type(error).__name__}: {error}") from error


class _Machine:
    """Carries out the instructions of a pickle. Each method is one of them, or a family that differs by arguments."""

    def __init__(self, content: mmap.mmap) -> None:
        self.content = content
        self.view = memoryview(content)
        self.place = 0
        self.forgotten = 0
        self.stack: list[Any] = []
        self.outer: list[list[Any]] = []
        self.memo: dict[int, Any] = {}

    def run(self) -> Any:
        view, instructions, stop = self.view, _INSTRUCTIONS, ord(".")
        for _ in range(MOST_INSTRUCTIONS):
            code = view[self.place]
            self.place += 1
            if code == stop:
                return self.stack.pop()
            if code not in instructions:
                self.refuse(code)
            method, arguments = instructions[code]
            method(self, *arguments)
        raise PickleRefused(f"it has more than {MOST_INSTRUCTIONS:,} instructions: its arrays must be NumPy's")

    def refuse(self, code: int) -> NoReturn:
        known = next((one for one in pickletools.opcodes if one.code == chr(code)), None)
        if known is None:
            raise PickleRefused(f"it is not a pickle, or damaged, at byte {self.place - 1:,}: no instruction {code}")
        wanted = f" of {self.line()}.{self.line()}" if known.name == "INST" else ""
        raise PickleRefused(f"it wants {known.name}{wanted} ({known.doc.split('.')[0].strip()}), which is not data")

    # Reading

    def take(self, count: int) -> memoryview:
        begin, self.place = self.place, self.place + count
        if self.place > len(self.view):
            raise PickleRefused(
                f"at byte {begin:,} it says that {count:,} bytes follow, but it ends after {len(self.view):,}"
            )
        return self.view[begin : self.place]

    def number(self, width: int) -> int:
        return self.take(1)[0] if width == 1 else int.from_bytes(self.take(width), "little")

    def line(self, longest: int = LONGEST_LINE) -> str:
        end = self.content.find(b"\n", self.place, self.place + longest)
        if end < 0:
            raise PickleRefused(f"it is not a pickle, or damaged, at byte {self.place:,}: a line does not end")
        text = str(self.take(end - self.place), "utf-8")
        self.place += 1
        return text

    def forget(self) -> None:
        """Give pages back that were only passed over, so that a mapped file does not count as memory in use."""
        begin = self.forgotten // mmap.PAGESIZE * mmap.PAGESIZE
        if self.place - begin > FORGET_AFTER:
            if hasattr(mmap, "MADV_DONTNEED"):
                self.content.madvise(mmap.MADV_DONTNEED, begin, self.place - begin)
            self.forgotten = self.place

    # Instructions

    def push(self, value: Any) -> None:
        if len(self.stack) >= MOST_WAITING:
            raise PickleRefused(f"it nests endlessly: more than {MOST_WAITING:,} values wait for their container")
        self.stack.append(value)

    def skip(self, count: int) -> None:
        self.take(count)

    def unpacked(self, form: str) -> None:
        (value,) = struct.unpack(form, self.take(struct.calcsize(form)))
        self.push(value)

    def integer(self, width: int) -> None:
        size = self.number(width)
        if size > LONGEST_INTEGER:
            raise PickleRefused(f"it holds an integer of {size:,} bytes")
        self.push(int.from_bytes(self.take(size), "little", signed=True))

    def written_integer(self) -> None:
        text = self.line(4 * LONGEST_INTEGER)
        self.push(text == "01" if text in ("00", "01") else int(text.removesuffix("L")))

    def written_float(self) -> None:
        self.push(float(self.line()))

    def text(self, width: int, codec: str = "utf-8") -> None:
        self.push_text(self.take(self.number(width)), codec)

    def written_text(self) -> None:
        end = self.content.find(b"\n", self.place)
        self.push_text(self.take((len(self.view) if end < 0 else end) - self.place), "raw-unicode-escape")
        self.place += 1

    def push_text(self, content: memoryview, codec: str) -> None:
        if len(content) <= SMALL:
            self.push(str(content, codec))
        else:
            self.push(LongText(content, codec))
            self.forget()

    def bytes(self, width: int) -> None:
        content = self.take(self.number(width))
        self.push(content.tobytes() if len(content) <= SMALL else content)
        self.forget()

    def index(self, width: int) -> int:
        """The place of a value in the memo; width 0: written as text."""
        return self.number(width) if width else int(self.line(4 * LONGEST_INTEGER))

    def put(self, width: int) -> None:
        self.memo[self.index(width)] = self.stack[-1]

    def get(self, width: int) -> None:
        self.push(self.memo[self.index(width)])

    def memoize(self) -> None:
        self.memo[len(self.memo)] = self.stack[-1]

    def mark(self) -> None:
        if len(self.outer) >= DEEPEST:
            raise PickleRefused(f"it nests endlessly: more than {DEEPEST} containers in each other are not finished")
        self.outer.append(self.stack)
        self.stack = []

    def marked(self) -> list[Any]:
        """The values since the last mark, which are taken from the stack."""
        values, self.stack = self.stack, self.outer.pop()
        return values

    def empty(self, kind: Callable[[], Any]) -> None:
        self.push(kind())

    def list_of(self) -> None:
        self.push(self.marked())

    def tuple_of(self) -> None:
        self.push(tuple(self.marked()))

    def short_tuple(self, count: int) -> None:
        self.stack[-count:] = [tuple(self.stack[place] for place in range(-count, 0))]

    def dict_of(self) -> None:
        values = self.marked()
        self.push({})
        self.set(values)

    def append(self) -> None:
        self.extend([self.stack.pop()])

    def appends(self) -> None:
        self.extend(self.marked())

    def extend(self, values: list[Any]) -> None:
        if type(self.stack[-1]) is not list:
            raise PickleRefused(f"it appends to a {type(self.stack[-1]).__name__}")
        self.stack[-1].extend(values)

    def set_item(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self.set([key, value])

    def set_items(self) -> None:
        self.set(self.marked())

    def set(self, values: list[Any]) -> None:
        if type(self.stack[-1]) is not dict or len(values) % 2:
            raise PickleRefused(f"it sets items of a {type(self.stack[-1]).__name__}")
        for key in values[::2]:
            if type(key) not in (str, int):  # the hash of nested tuples may take longer than anyone lives
                raise PickleRefused(f"a dictionary has a {type(key).__name__} for a key, not text or a number")
        self.stack[-1].update(zip(values[::2], values[1::2], strict=True))

    def named(self) -> None:
        self.push_function(self.line(), self.line())

    def named_on_stack(self) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        self.push_function(module, name)

    def push_function(self, module: object, name: object) -> None:
        if not isinstance(module, str) or not isinstance(name, str):
            raise PickleRefused("it wants something whose name is not text")
        if (module, name) not in FUNCTIONS:
            raise PickleRefused(f"it wants {module}.{name}, which is not data")
        self.push(FUNCTIONS[module, name])

    def call(self) -> None:
        arguments, function = self.stack.pop(), self.stack.pop()
        if function not in FUNCTIONS.values() or type(arguments) is not tuple:
            raise PickleRefused(f"it calls a {type(function).__name__}")
        self.push(function(*arguments))

    def build(self) -> None:
        state = self.stack.pop()
        if type(self.stack[-1]) not in (StoredArray, StoredDtype) or type(state) is not tuple:
            raise PickleRefused(f"it changes the attributes of a {type(self.stack[-1]).__name__}")
        self.stack[-1].build(state)


_M = _Machine
_INSTRUCTIONS: dict[int, tuple[Any, tuple[Any, ...]]] = {
    ord(code): (what[0], what[1:])
    for code, what in {
        # numbers and constants
        "N": (_M.push, None),
        "\x88": (_M.push, True),
        "\x89": (_M.push, False),
        "K": (_M.unpacked, "<B"),
        "M": (_M.unpacked, "<H"),
        "J": (_M.unpacked, "<i"),
        "G": (_M.unpacked, ">d"),
        "\x8a": (_M.integer, 1),
        "\x8b": (_M.integer, 4),
        "I": (_M.written_integer,),
        "L": (_M.written_integer,),
        "F": (_M.written_float,),
        # text and bytes
        "\x8c": (_M.text, 1),
        "X": (_M.text, 4),
        "\x8d": (_M.text, 8),
        "U": (_M.text, 1, "latin-1"),
        "T": (_M.text, 4, "latin-1"),
        "V": (_M.written_text,),
        "C": (_M.bytes, 1),
        "B": (_M.bytes, 4),
        "\x8e": (_M.bytes, 8),
        "\x96": (_M.bytes, 8),
        # containers
        "(": (_M.mark,),
        ")": (_M.push, ()),
        "]": (_M.empty, list),
        "}": (_M.empty, dict),
        "l": (_M.list_of,),
        "t": (_M.tuple_of,),
        "d": (_M.dict_of,),
        "\x85": (_M.short_tuple, 1),
        "\x86": (_M.short_tuple, 2),
        "\x87": (_M.short_tuple, 3),
        "a": (_M.append,),
        "e": (_M.appends,),
        "s": (_M.set_item,),
        "u": (_M.set_items,),
        # what is remembered
        "q": (_M.put, 1),
        "r": (_M.put, 4),
        "p": (_M.put, 0),
        "\x94": (_M.memoize,),
        "h": (_M.get, 1),
        "j": (_M.get, 4),
        "g": (_M.get, 0),
        # arrays
        "c": (_M.named,),
        "\x93": (_M.named_on_stack,),
        "R": (_M.call,),
        "b": (_M.build,),
        # the protocol, and the length of the part that follows
        "\x80": (_M.skip, 1),
        "\x95": (_M.skip, 8),
    }.items()
}
"""The instructions that are known, by code: the method, and its arguments."""
