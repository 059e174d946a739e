"""The code that a stage's results come from: not part of any key, but worth a word when it has changed."""

import ast
import hashlib
import importlib
import importlib.util
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from pipeline.stage import Stage

_CLASS = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
"""``module:Class`` in a text: how tables of models name what they load."""

ENGINE = __name__.partition(".")[0]
"""The engine's own package: what it does is no part of any result."""


def code_of(stage: type[Stage]) -> dict[str, str]:
    """Digest of each source file by its module: those that define the stage, and all that they import in turn.

    Imports inside functions count, and classes named in texts. Followed are the packages of the stages that ship with
    this one, the stage's own, and other modules that lie beside the latter.
    """
    found: dict[str, str] = {}
    waiting = [stage.__module__]
    allowed = _Allowed(stage.__module__.partition(".")[0])
    while waiting:
        module = waiting.pop()
        if module in found or not allowed(module.partition(".")[0]):
            continue
        file = _file_of(module)
        if file is not None:
            source = _read(str(file), file.stat().st_mtime_ns)
            found[module] = source.digest
            waiting += source.imports
    return found


class _Allowed:
    """Whether the modules of a top-level package are followed."""

    def __init__(self, own: str) -> None:
        self._shipped = set(importlib.import_module("stages").CODE)
        self._own = own
        self._folder = _folder_of(own)

    def __call__(self, package: str) -> bool:
        if package == ENGINE:
            return False
        if package == self._own or package in self._shipped:
            return True
        installed = self._folder is None or self._folder.name in ("site-packages", "dist-packages")
        return not installed and _folder_of(package) == self._folder


class _Source(NamedTuple):
    """What is kept of a source file."""

    digest: str
    imports: tuple[str, ...]
    """Modules that it may import: of ``from a import b`` both ``a`` and ``a.b``."""


@lru_cache(maxsize=4096)
def _read(file: str, mtime_ns: int) -> _Source:
    content = Path(file).read_bytes()
    try:
        imports = tuple(dict.fromkeys(_imports(ast.parse(content))))
    except (SyntaxError, ValueError):
        imports = ()
    return _Source(hashlib.blake2b(content, digest_size=8).hexdigest(), imports)


def _imports(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _CLASS.fullmatch(node.value):
            yield node.value.partition(":")[0]


@lru_cache(maxsize=256)
def _folder_of(package: str) -> Path | None:
    """The folder that a top-level package or module lies in; None where it has no source."""
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return None
    if spec is None or not spec.has_location or spec.origin is None:
        return None
    file = Path(spec.origin)
    return file.parents[1] if file.name == "__init__.py" else file.parent


def _file_of(module: str) -> Path | None:
    """The source file of a module, found without importing it; None where the name is none of a module."""
    folder = _folder_of(module.partition(".")[0])
    if folder is None:
        return None
    path = folder.joinpath(*module.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)
