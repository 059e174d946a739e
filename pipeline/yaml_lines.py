"""Reads YAML into plain values with the place of each, so that an error can name file and line.

YAML is read by the core rules of version 1.2 (``no`` is a string, ``1e-3`` a number, dates are strings). Tags, merge
keys, duplicate keys and several documents are not allowed. Size, nesting and the expansion of aliases are limited,
because a manifest may come from somebody else.
"""

import math
import re
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from pipeline.errors import ManifestError

MAX_BYTES = 500_000
MAX_DEPTH = 30
MAX_VALUES = 10_000

KeyPath = tuple[str | int, ...]


class Place(NamedTuple):
    """Where a value was written: a file and line, or an option of the command line (``line`` 0)."""

    origin: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.origin}:{self.line}" if self.line else self.origin


class Located(NamedTuple):
    """A plain value (dictionaries, lists, strings, numbers, booleans, null) with the place of every key and item."""

    value: Any
    places: dict[KeyPath, Place]


def read_yaml(path: Path, origin: str) -> Located:
    """Read a YAML file. Raises ManifestError ``origin:LINE: what is wrong`` unless it is a plain document."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except IsADirectoryError:
        raise ManifestError(f"{origin}: is a folder, not a file") from None
    except OSError as error:
        raise ManifestError(f"{origin}: cannot be read: {error.strerror}") from None
    if len(data) > MAX_BYTES:
        raise ManifestError(f"{origin}: is larger than {MAX_BYTES // 1000} kB; this is not a manifest")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ManifestError(f"{origin}:{line}: is not UTF-8 text; save the file in UTF-8") from None
    return parse_yaml(text, origin)


def parse_yaml(text: str, origin: str, numbered: bool = True) -> Located:
    """Like ``read_yaml``, for a string. numbered: False leaves out line numbers, for a single line."""
    try:
        node = _Loader(text).get_single_node()
    except yaml.MarkedYAMLError as error:
        raise ManifestError(f"{_mark(origin, error, numbered)}: {_explain(error, text)}") from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ManifestError(f"{origin}:{line}: contains a control character (code {error.character})") from None
    if node is None:
        return Located(None, {})
    walk = _Walk(origin, numbered)
    return Located(walk.value(node, ()), walk.places)


class _Loader(yaml.SafeLoader):
    """Only composes nodes (constructs nothing), to a limited depth, and resolves plain scalars by the core rules."""

    yaml_implicit_resolvers: dict[Any, Any] = {}
    depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            mark = self.peek_event().start_mark
            raise yaml.composer.ComposerError(None, None, f"nested deeper than {MAX_DEPTH} levels", mark)
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


_Loader.add_implicit_resolver("null", re.compile(r"(~|null|Null|NULL|)$"), ["~", "n", "N", ""])
_Loader.add_implicit_resolver("bool", re.compile(r"(true|True|TRUE|false|False|FALSE)$"), list("tTfF"))
_Loader.add_implicit_resolver("int", re.compile(r"[-+]?[0-9]{1,300}$"), list("-+0123456789"))
_Loader.add_implicit_resolver(
    "float",
    re.compile(r"[-+]?(\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?$"),
    list("-+.0123456789"),
)


class _Walk:
    """Turns composed nodes into plain values. Aliases are expanded, up to a limit."""

    def __init__(self, origin: str, numbered: bool) -> None:
        self.origin = origin
        self.numbered = numbered
        self.places: dict[KeyPath, Place] = {}
        self.count = 0

    def place(self, node: yaml.Node) -> Place:
        return Place(self.origin, node.start_mark.line + 1 if self.numbered else 0)

    def value(self, node: yaml.Node, path: KeyPath) -> Any:
        self.count += 1
        self.places.setdefault(path, self.place(node))
        if self.count > MAX_VALUES or len(path) > MAX_DEPTH:
            raise ManifestError(f"{self.place(node)}: aliases expand to too many values; write the values out")
        if isinstance(node, yaml.MappingNode) and node.tag == "tag:yaml.org,2002:map":
            return {key: self.value(below, (*path, key)) for key, below in self.pairs(node, path)}
        if isinstance(node, yaml.SequenceNode) and node.tag == "tag:yaml.org,2002:seq":
            return [self.value(below, (*path, i)) for i, below in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode):
            return self.scalar(node)
        raise self.tag_error(node)

    def pairs(self, node: yaml.MappingNode, path: KeyPath) -> list[tuple[str, yaml.Node]]:
        pairs: dict[str, yaml.Node] = {}
        for key_node, below in node.value:
            place = self.place(key_node)
            key = self.scalar(key_node) if isinstance(key_node, yaml.ScalarNode) else None
            if not isinstance(key, str):
                shown = repr(key_node.value) if isinstance(key_node, yaml.ScalarNode) else "a list or mapping"
                raise ManifestError(f"{place}: a key must be text, not {shown}; put it in quotes")
            if key == "<<":
                raise ManifestError(f"{place}: merge keys ('<<') are not supported; use 'extends'")
            if key in pairs:
                first = self.places[(*path, key)]
                raise ManifestError(f"{place}: key '{key}' is given twice (first on line {first.line})")
            pairs[key] = below
            self.places[(*path, key)] = place
        return list(pairs.items())

    def scalar(self, node: yaml.ScalarNode) -> Any:
        text = node.value
        match node.tag:
            case "null":
                return None
            case "bool":
                return text.lower() == "true"
            case "int":
                return int(text)
            case "float":
                number = float(text)
                return number if math.isfinite(number) else text
            case "tag:yaml.org,2002:str":
                return text
        raise self.tag_error(node)

    def tag_error(self, node: yaml.Node) -> ManifestError:
        tag = node.tag.replace("tag:yaml.org,2002:", "!!")
        return ManifestError(f"{self.place(node)}: tag {tag} is not allowed; manifests contain only plain values")


def _mark(origin: str, error: yaml.MarkedYAMLError, numbered: bool) -> Place:
    unclosed = "stream end" in (error.problem or "") or "end of stream" in (error.problem or "")
    mark = error.context_mark if unclosed and error.context_mark else error.problem_mark
    return Place(origin, mark.line + 1 if mark and numbered else 0)


def _explain(error: yaml.MarkedYAMLError, text: str) -> str:
    problem = error.problem or "is not valid YAML"
    if "'\\t'" in problem:
        return "a tab where spaces are expected; indent with spaces"
    if "expected a single document" in (error.context or ""):
        return "contains several documents ('---'); a manifest is a single one"
    if "${" in _line(error, text):
        return 'a ${…} between braces or brackets must be quoted: "${NAME}"'
    if "mapping values are not allowed" in problem:
        return "a ':' where none is allowed; check the indentation, and quote texts that contain ': '"
    if "found undefined alias" in problem or "nested deeper" in problem:
        return problem
    context = f" ({error.context})" if error.context else ""
    return f"is not valid YAML: {problem}{context}"


def _line(error: yaml.MarkedYAMLError, text: str) -> str:
    """The line at which YAML stopped reading."""
    mark = error.problem_mark
    lines = text.splitlines()
    return lines[mark.line] if mark and mark.line < len(lines) else ""
