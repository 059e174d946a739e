"""The source code of a stage. It is not part of any key, but a plan mentions that it has changed."""

import ast
import hashlib
import importlib
import importlib.util
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.registry import make_current_folder_importable
from pipeline.stage import Stage

_CLASS = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")
"""``module:Class`` as a string: how classes are named that are imported on first use."""

ENGINE = __name__.partition(".")[0]
"""The engine's own package, which is not followed: it does not affect results."""


def code_of(stage: type[Stage], plugins: Iterable[str] = ()) -> dict[str, str]:
    """Digest of each source file by module: of the one that defines the stage, and of all that it imports, directly or
    indirectly.

    Imports inside functions count, and so do classes named in strings. Imports are followed into the packages that ship
    with this one, into the stage's own package, and into modules beside the latter.

    plugins: classes that its parameters name, whose code is followed in the same way.
    """
    found: dict[str, str] = {}
    for module in (stage.__module__, *(plugin.partition(":")[0] for plugin in plugins)):
        found |= _code_of_module(module)
    return found


def plugins_of(parameters: Any) -> list[str]:
    """The classes that parameters, as JSON values, name as ``module:Class``; strings of this form without a module that
    exists are something else."""
    if isinstance(parameters, dict | list):
        values = parameters.values() if isinstance(parameters, dict) else parameters
        return [plugin for value in values for plugin in plugins_of(value)]
    if not isinstance(parameters, str) or not _CLASS.fullmatch(parameters):
        return []
    make_current_folder_importable()
    return [parameters] if _file_of(parameters.partition(":")[0]) else []


def modules_here(used: Iterable[tuple[type[Stage], Any]]) -> list[str]:
    """The modules and packages in the current folder of which stages, each with its parameters as JSON values, are
    made: they are installed on no other machine."""
    here = Path.cwd()
    installed = {ENGINE, *importlib.import_module("stages").CODE}
    modules = {module.partition(".")[0] for stage, values in used for module in code_of(stage, plugins_of(values))}
    own = sorted(module for module in modules - installed if _folder_of(module) == here)
    return [str(here / module if (here / module).is_dir() else here / f"{module}.py") for module in own]


def declared_version(plugin: str) -> int | None:
    """The number that the class ``module:Class`` has as its ``version``, read from its source without an import."""
    module, _, name = plugin.partition(":")
    file = _file_of(module)
    return _read(str(file), file.stat().st_mtime_ns).versions.get(name) if file else None


def _code_of_module(start: str) -> dict[str, str]:
    found: dict[str, str] = {}
    waiting = [start]
    allowed = _Allowed(start.partition(".")[0])
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
    """Whether imports are followed into a top-level package."""

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
    """A source file."""

    digest: str
    imports: tuple[str, ...]
    """Modules that it may import: for ``from a import b`` both ``a`` and ``a.b``."""
    versions: dict[str, int]
    """``version`` by class, where a class has it as a plain number."""


@lru_cache(maxsize=4096)
def _read(file: str, mtime_ns: int) -> _Source:
    content = Path(file).read_bytes()
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError):
        tree = ast.Module([], [])
    imports = tuple(dict.fromkeys(_imports(tree)))
    return _Source(hashlib.blake2b(content, digest_size=8).hexdigest(), imports, dict(_versions(tree)))


def _versions(tree: ast.Module) -> Iterator[tuple[str, int]]:
    for cls in [one for one in tree.body if isinstance(one, ast.ClassDef)]:
        for line in cls.body:
            targets = line.targets if isinstance(line, ast.Assign) else [getattr(line, "target", None)]
            value = getattr(line, "value", None)
            named = any(isinstance(target, ast.Name) and target.id == "version" for target in targets)
            if named and isinstance(value, ast.Constant) and type(value.value) is int:
                yield cls.name, value.value


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
    """The folder that contains a top-level package or module; None if it has no source."""
    try:
        spec = importlib.util.find_spec(package)
    except (ImportError, ValueError):
        return None
    if spec is None or not spec.has_location or spec.origin is None:
        return None
    file = Path(spec.origin)
    return file.parents[1] if file.name == "__init__.py" else file.parent


def _file_of(module: str) -> Path | None:
    """The source file of a module, found without importing it; None if there is no such module."""
    folder = _folder_of(module.partition(".")[0])
    if folder is None:
        return None
    path = folder.joinpath(*module.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)
