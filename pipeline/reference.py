"""What a manifest can say of a stage: its parameters with their defaults, out of the fields of its class."""

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
    """One parameter of a stage, or the name under which several stand."""

    name: str
    """As after ``--set STAGE.``, with dots."""
    value: str | None
    """The default as YAML; None where there is none."""
    kind: str
    """What may be given, for people; empty for a name under which several stand."""
    text: str


def all_stages() -> Iterator[tuple[str, str, str]]:
    """Name, kind and first line of each of the package's stages, in the order in which a manifest has them."""
    for name in known_stages():
        stage = find_stage(name)
        kind = "source" if issubclass(stage, Source) else "clip by clip" if issubclass(stage, MapStage) else "whole"
        yield name, kind, summary(stage).partition("\n")[0]


def summary(stage: type[Stage]) -> str:
    """What the stage does, as its author says."""
    return _plain(inspect.getdoc(stage) or "")


def parameters(model: type[BaseModel], prefix: str = "") -> Iterator[Parameter]:
    """The parameters of a stage, each followed by those that stand under it."""
    for name, field in model.model_fields.items():
        text = _plain(field.description or "")
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield Parameter(prefix + name, None, "", text)
            yield from parameters(field.annotation, f"{prefix}{name}.")
        else:
            default = None if field.is_required() else _yaml(field.get_default(call_default_factory=True))
            yield Parameter(prefix + name, default, _kind(field.annotation), text)


def _yaml(value: Any) -> str:
    """As a manifest would say it; the texts among the defaults are names and paths, which need no quotes."""
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
