"""Checks values against a pydantic model. Each error is one line, with file, line and the nearest valid name."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar, get_args

from pydantic import BaseModel, ValidationError

from pipeline.errors import ManifestError
from pipeline.registry import did_you_mean
from pipeline.yaml_lines import KeyPath, Place

M = TypeVar("M", bound=BaseModel)


class Complaint(NamedTuple):
    """One thing that is wrong, and where it was written."""

    place: Place
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.text}"


def raise_complaints(complaints: Iterable[Complaint]) -> None:
    """Raise one ManifestError with a line for each complaint, sorted by file and line; return if there is none."""
    unique = sorted(set(complaints))
    if unique:
        raise ManifestError("\n".join(map(str, unique)))


def checked(
    model: type[M],
    values: Mapping[str, Any],
    where: Callable[[KeyPath], Place],
    subject: str = "",
    noun: str = "parameter",
    listing: str = "",
) -> tuple[M | None, list[Complaint]]:
    """An instance of ``model``, or None and what is wrong.

    where: gives the place of a value by its path within ``values``. subject: the start of each text, such as
    ``stage 'decode': ``. listing: the command that lists the valid names, for a name that resembles none of them.
    """
    try:
        made = model.model_validate(values)
    except ValidationError as error:
        texts = _texts(model, values, error, noun, f"; '{listing}' lists them all" if listing else "")
        return None, [Complaint(where(path), subject + text) for path, text in texts]
    except Exception as error:  # a validator of a user's own stage may fail in any way
        return None, [Complaint(where(()), f"{subject}parameters cannot be checked: {type(error).__name__}: {error}")]
    wrong = [
        Complaint(where(path), f"{subject}'{_dotted(path)}' should not be true or false")
        for path in _misplaced_booleans(values, made, ())
    ]
    return (None, wrong) if wrong else (made, [])


def _texts(
    model: type[BaseModel], values: Any, error: ValidationError, noun: str, listed: str
) -> Iterator[tuple[KeyPath, str]]:
    """(path, text) for each wrong value. The errors that pydantic gives for each member of a union become one text."""
    wanted: dict[KeyPath, list[str]] = {}
    given: dict[KeyPath, Any] = {}
    for detail in error.errors(include_url=False):
        path, kind = _real_path(detail["loc"], values), detail["type"]
        message = _plain(detail["msg"])
        if kind == "extra_forbidden":
            elsewhere = next(_paths_to(model, path[-1]), None)
            near = (
                f"; did you mean '{elsewhere}'?"
                if elsewhere
                else did_you_mean(str(path[-1]), _fields(model, path[:-1]))
            )
            yield path, f"unknown {noun} '{_dotted(path)}'{near or listed}"
        elif kind == "missing":
            yield path, f"{noun} '{_dotted((*path, detail['loc'][-1]))}' is missing"
        elif kind in ("value_error", "assertion_error"):
            text = str(detail["ctx"]["error"])
            yield path + _named(text, _at(values, path)), f"'{_dotted(path)}': {text}" if path else text
        elif kind == "path_not_file":
            yield path, f"'{_dotted(path)}': no such file: {detail['input']}"
        elif kind == "path_not_directory":
            yield path, f"'{_dotted(path)}': no such folder: {detail['input']}"
        elif "should " in message:
            wanted.setdefault(path, []).append(message.partition("should ")[2] + _nearest(detail))
            given[path] = detail["input"]
        else:
            yield path, f"'{_dotted(path)}': {message}"
    for path, kinds in wanted.items():
        either = " or ".join(dict.fromkeys(kinds)).replace(" or be ", " or ")
        yield path, f"'{_dotted(path)}' should {either}, not {_shown(given[path])}"


_PLAIN = {
    "a valid integer": "an integer",
    "a valid number": "a number",
    "a valid string": "text",
    "a valid tuple": "a list",
    "a valid list": "a list",
    "a valid dictionary": "a mapping",
    "a valid boolean": "true or false",
    "Input is not a valid path": "Input should be a path",
}


def _plain(message: str) -> str:
    """Pydantic's message in the terms of a manifest."""
    message = re.sub(
        r", (unable to|got a number) .*| for <class .*| after validation, not .*| or instance of .*", "", message
    )
    for theirs, ours in _PLAIN.items():
        message = message.replace(theirs, ours)
    return message


def _nearest(detail: Any) -> str:
    """``(did you mean 'rgb'?)`` for a misspelled choice."""
    if detail["type"] != "literal_error" or not isinstance(detail["input"], str):
        return ""
    choices = detail["ctx"]["expected"].replace(" or ", ", ").split(", ")
    hint = did_you_mean(detail["input"], [choice.strip("'") for choice in choices], most=0)
    return f" ({hint.removeprefix('; ')})" if hint else ""


def _named(text: str, values: Any) -> KeyPath:
    """The first of the given parameters that the text of an error about several of them names; () if it names none."""
    found = []
    for path in _leaves(values, ()):
        name = re.search(rf"(?<![\w.]){re.escape(_dotted(path))}(?!\w)", text)
        found += [(name.start(), path)] if name else []
    return min(found, default=(0, ()))[1]


def _leaves(values: Any, path: KeyPath) -> Iterator[KeyPath]:
    for key, value in values.items() if isinstance(values, Mapping) else ():
        yield (*path, key)
        yield from _leaves(value, (*path, key))


def _at(values: Any, path: KeyPath) -> Any:
    for step in path:
        values = values[step]
    return values


def _real_path(loc: KeyPath, values: Any) -> KeyPath:
    """The part of pydantic's location that exists in the values, without names of union members and missing keys."""
    path: list[str | int] = []
    for step in loc:
        known = step in values if isinstance(values, Mapping) else False
        if known or (isinstance(values, list) and isinstance(step, int) and step < len(values)):
            values = values[step]
            path.append(step)
    return tuple(path)


def _fields(model: type[BaseModel], path: KeyPath) -> list[str]:
    """Names that are valid at a path inside a model."""
    models = [model]
    for step in path:
        below = [field for model in models for name, field in model.model_fields.items() if name == step]
        if below:  # an index into a list names no field: the models stay the same
            models = [found for field in below for found in _models_in(field.annotation)]
    return [field.alias or name for model in models for name, field in model.model_fields.items()]


def _paths_to(model: type[BaseModel], name: str | int) -> Iterator[str]:
    """The dotted paths of all fields with this name, in a model and in the models inside it."""
    for field_name, field in model.model_fields.items():
        called = field.alias or field_name
        if called == name:
            yield called
        inner = field.annotation
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            yield from (f"{called}.{path}" for path in _paths_to(inner, name))


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)


def _misplaced_booleans(raw: Any, made: Any, path: KeyPath) -> Iterator[KeyPath]:
    """Paths of true and false that pydantic converted to 1 and 0."""
    if isinstance(raw, bool):
        if isinstance(made, int | float) and not isinstance(made, bool):
            yield path
    elif isinstance(raw, Mapping):
        for key, value in raw.items():
            below = made.get(key) if isinstance(made, Mapping) else getattr(made, str(key), None)
            yield from _misplaced_booleans(value, below, (*path, key))
    elif isinstance(raw, list) and isinstance(made, Sequence):
        for i, (value, below) in enumerate(zip(raw, made, strict=False)):
            yield from _misplaced_booleans(value, below, (*path, i))


def _dotted(path: Sequence[str | int]) -> str:
    return ".".join(map(str, path))


def _shown(value: Any) -> str:
    text = (
        {True: "true", False: "false", None: "null"}[value] if value is None or isinstance(value, bool) else repr(value)
    )
    return text if len(text) <= 60 else f"{text[:57]}..."
