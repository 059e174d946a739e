"""The reference of a stage: its parameters with their defaults, from the fields of its class."""

import inspect
import json
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel

from pipeline.registry import find_stage, known_stages
from pipeline.stage import MapStage, Source, Stage

_KINDS = {
    bool: "true | false",
    int: "whole number",
    float: "number",
    str: "text",
    Path: "path",
    tuple: "list",
    dict: "mapping",
    type(None): "null",
}


class Parameter(NamedTuple):
    """One parameter of a stage, or the name of a group of parameters."""

    name: str
    """As after ``--set STAGE.``; with dots if it is in a group."""
    value: str | None
    """The default as YAML; None if there is none."""
    kind: str
    """Which values are possible, for people; empty for a group."""
    text: str


def all_stages() -> Iterator[tuple[str, str, str]]:
    """Name, kind and first line of each of the package's stages, in the order in which manifests list them."""
    for name in known_stages():
        stage = find_stage(name)
        kind = "source" if issubclass(stage, Source) else "clip by clip" if issubclass(stage, MapStage) else "whole"
        yield name, kind, summary(stage).partition("\n")[0]


def summary(stage: type[Stage]) -> str:
    """The stage's docstring."""
    return _plain(inspect.getdoc(stage) or "")


def parameters(model: type[BaseModel], prefix: str = "") -> Iterator[Parameter]:
    """The parameters of a stage. A group is followed by its parameters."""
    for name, field in model.model_fields.items():
        text = _plain(field.description or "")
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield Parameter(prefix + name, None, "", text)
            yield from parameters(field.annotation, f"{prefix}{name}.")
        else:
            default = None if field.is_required() else _yaml(field.get_default(call_default_factory=True))
            yield Parameter(prefix + name, default, _kind(field.annotation), text)


def _yaml(value: Any) -> str:
    """A value as in a manifest. Strings among the defaults are names and paths, which need no quotes."""
    return str(value) if isinstance(value, str | Path) else json.dumps(value, default=str)


def _kind(annotation: Any) -> str:
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " | ".join(map(str, inner))
    if origin is Annotated:
        return _kind(inner[0])
    if origin in (Union, types.UnionType):
        return " | ".join(map(_kind, inner))
    kind: Any = origin or annotation
    return _KINDS.get(kind) or str(getattr(kind, "__name__", kind))


def _plain(text: str) -> str:
    return text.replace("``", "")
