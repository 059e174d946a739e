"""Combines what a manifest consists of: the files it extends, options of the command line, and the environment.

This works on plain values, before anything is checked. The place of every value is kept.
"""

import copy
import os
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pipeline.errors import ManifestError
from pipeline.parameters import Complaint
from pipeline.registry import did_you_mean, find_stage
from pipeline.shipped import shipped_base, shipped_manifests
from pipeline.yaml_lines import KeyPath, Located, Place, parse_yaml, read_yaml

MAX_FILES = 50
STAGE_KEYS = ("uses", "needs", "matrix")
"""Keys of a stage beside its parameters."""


def read_layers(path: Path, origin: str) -> Located:
    """A manifest merged with all that it extends. Raises ManifestError with file and line."""
    return _read(path, origin, (), [])


def _read(path: Path, origin: str, above: tuple[str, ...], files: list[str]) -> Located:
    """A manifest merged with all that it extends. above: the manifests that extend it. files: all files read so far."""
    files.append(origin)
    if len(files) > MAX_FILES:
        raise ManifestError(f"{above[0]}: extends more than {MAX_FILES} manifests")
    values, places = read_yaml(path, origin)
    if not isinstance(values, dict):
        what = "is empty" if values is None else "must be a mapping with the key 'stages'"
        raise ManifestError(f"{origin}:{places[()].line if places else 1}: {what}")
    extends = values.pop("extends", None)
    bases = [extends] if isinstance(extends, str) else [] if extends is None else extends
    place = places.get(("extends",), Place(origin))
    if not isinstance(bases, list) or not all(isinstance(base, str) and base for base in bases):
        raise ManifestError(f"{place}: 'extends' should be a path or a list of paths")
    merged = Located({}, {})
    for base in bases:
        below = os.path.normpath(path.parent / base)
        if not Path(below).is_file():
            below = str(shipped_base(base) or below)
        if below in (*above, origin):
            chain = " → ".join((*above, origin, below))
            raise ManifestError(f"{place}: 'extends' goes in a circle: {chain}")
        if not Path(below).is_file():
            beside = [file.name for file in Path(below).parent.glob("*.y*ml")]
            shipped = [f"{name}.yaml" for name in shipped_manifests()]
            near = did_you_mean(Path(below).name, [*beside, *shipped], most=0)
            raise ManifestError(f"{place}: 'extends': no such file: {below}{near}")
        _merge(merged, _read(Path(below), below, (*above, origin), files))
    if "name" in values:
        merged.value.pop("description", None)  # that of the extended manifest
    _merge(merged, Located(values, places))
    return merged


def _merge(base: Located, over: Located) -> None:
    """Merge the values and places of a manifest into those of ``base``, in place."""

    def put(old: dict[str, Any], new: dict[str, Any], path: KeyPath) -> None:
        for key, value in new.items():
            here = (*path, key)
            is_stage = len(here) == 2 and here[0] == "stages"
            if isinstance(value, dict) and isinstance(old.get(key), dict):
                used = old[key].get("uses", key)
                if is_stage and value.get("uses", used) != used:
                    old[key].pop("with", None)
                    old[key].pop("matrix", None)
                put(old[key], value, here)
            elif is_stage and value is None and key in old:
                del old[key]
            else:
                old[key] = copy.deepcopy(value)
                for known in [known for known in base.places if known[: len(here)] == here]:
                    del base.places[known]
                base.places.update({known: place for known, place in over.places.items() if known[: len(here)] == here})

    put(base.value, over.value, ())
    base.places.update({(): over.places[()]})


def override(values: dict[str, Any], places: dict[KeyPath, Place], option: str, heads: Sequence[str]) -> None:
    """Apply an option such as ``train.epochs=2``, which is short for ``stages.train.with.epochs=2``.

    heads: the keys at the top of a manifest that may be set, as in ``store=FOLDER``.
    """
    place = Place(f"--set {option}")
    name, equals, text = option.partition("=")
    path = name.strip().split(".")
    if not equals or not all(path):
        raise ManifestError(f"{place}: write STAGE.PARAMETER=VALUE")
    given = values.get("stages")
    stages = given if isinstance(given, dict) else {}
    names = list(stages)
    if path[0] in names:
        if len(path) == 1:
            raise ManifestError(f"{place}: name a parameter of the stage: {path[0]}.PARAMETER=VALUE")
        if path[1] == "with":
            raise ManifestError(f"{place}: parameters need no 'with': write {'.'.join([path[0], *path[2:]])}={text}")
        if path[1] in STAGE_KEYS:
            raise ManifestError(f"{place}: '{path[1]}' is no parameter: write stages.{option}")
        path = ["stages", path[0], "with", *path[1:]]
    elif path[0] in heads and len(path) > 1:
        raise ManifestError(f"{place}: '{path[0]}' is a single value: write {path[0]}=VALUE")
    elif path[0] not in heads and path[0] != "stages":
        taking = [name for name in names if path[0] in _parameters(name, stages[name])] if len(path) == 1 else []
        near = f"; write {taking[0]}.{option}" if taking else did_you_mean(path[0], [*names, *heads])
        raise ManifestError(f"{place}: no stage or key is called '{path[0]}'{near}")
    if path[0] == "stages" and path[2:3] == ["matrix"]:
        path = [*path[:3], *_axis_first(path[3:], values, path[:3])]
    inner = values
    for step in path[:-1]:
        if not isinstance(inner.get(step), dict):
            inner[step] = {}
        inner = inner[step]
    try:
        value = parse_yaml(text, place.origin, numbered=False).value
    except ManifestError:
        if not re.match(r"\{\w+\}", text):
            raise
        value = text  # a pattern of names: {group}_part{number}
    if value is None and path[:-1] == ["stages"] and path[-1] in names:
        del inner[path[-1]]
        return
    inner[path[-1]] = value
    for known in [known for known in places if known[: len(path)] == tuple(path)]:
        del places[known]
    places[tuple(path)] = place


def _axis_first(path: list[str], values: Any, above: list[str]) -> list[str]:
    """The path below ``matrix``, whose first step is the name of an axis, possibly with dots: ``model.width``.

    This is the longest existing axis, with a label after it or not. If there is none, all of the path is a new axis.
    """
    for step in above:
        values = values.get(step) if isinstance(values, dict) else None
    axes = values if isinstance(values, dict) else {}
    for length in range(len(path), 0, -1):
        if ".".join(path[:length]) in axes:
            return [".".join(path[:length]), *path[length:]]
    return [".".join(path)] if path else []


def _parameters(name: str, stage: Any) -> Collection[str]:
    """Names of the parameters of a manifest's stage; none if it cannot be imported."""
    uses = stage.get("uses", name) if isinstance(stage, dict) else name
    try:
        return find_stage(uses).model_fields
    except ManifestError:
        return ()


_REFERENCE = re.compile(r"\$\$\{|\$\{(?P<name>[A-Za-z_]\w*)(?P<default>:-[^{}]*)?\}|\$\{")


def expand(
    values: dict[str, Any], places: Mapping[KeyPath, Place], origin: str, environ: Mapping[str, str]
) -> Iterator[Complaint]:
    """Replace ``${NAME}`` in all strings, in place. Inserted text is not expanded again."""
    for path, text in list(strings_of(values, ())):
        wrong: list[str] = []

        def replacement(match: re.Match[str], wrong: list[str] = wrong) -> str:
            if match[0] == "$${":
                return "${"
            name, default = match["name"], match["default"]
            if name is None:
                wrong.append("'${' does not start a variable; write ${NAME}, ${NAME:-default}, or $${ for '${'")
            elif environ.get(name):
                return environ[name]
            elif default is not None:
                return str(default[2:])
            elif name in environ:
                wrong.append(f"environment variable {name} is empty; set it, or write ${{{name}:-}} if it may be empty")
            else:
                near = did_you_mean(name, environ, most=0, cutoff=0.8)
                wrong.append(f"environment variable {name} is not set{near or f'; export {name}=…'}")
            return match[0]

        expanded = _REFERENCE.sub(replacement, text)
        yield from (Complaint(place_of(places, path, origin), text) for text in wrong)
        inner: Any = values
        for step in path[:-1]:
            inner = inner[step]
        inner[path[-1]] = expanded


def strings_of(values: Any, path: KeyPath) -> Iterator[tuple[KeyPath, str]]:
    """All strings with their paths, without keys."""
    if isinstance(values, str):
        yield path, values
    elif isinstance(values, dict | list):
        for key, value in values.items() if isinstance(values, dict) else enumerate(values):
            yield from strings_of(value, (*path, key))


def place_of(places: Mapping[KeyPath, Place], path: KeyPath, origin: str) -> Place:
    """The place of a value, or of the nearest value around it that has a known place."""
    for length in range(len(path), -1, -1):
        if path[:length] in places:
            return places[path[:length]]
    return Place(origin)
