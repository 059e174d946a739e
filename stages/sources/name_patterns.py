"""Patterns of names with fields in braces: ``{clip}_{sequence}_{label}.avi``."""

import re
from collections.abc import Collection, Mapping


def fields_of(pattern: str) -> list[str]:
    """Names of the pattern's fields, in order."""
    return re.findall(r"\{(\w+)\}", pattern)


def refuse_bad_fields(pattern: str, needed: str) -> None:
    """Raise ValueError unless the field ``needed`` is there and every field has a name of its own."""
    fields = fields_of(pattern)
    if needed not in fields:
        raise ValueError(f"pattern {pattern!r} has no field {{{needed}}}")
    if len(set(fields)) < len(fields):
        raise ValueError(f"pattern {pattern!r} has a field twice: give each field its own name")
    for name in fields:
        if not name.isidentifier():
            raise ValueError(f"pattern {pattern!r}: a field's name must begin with a letter, unlike {{{name}}}")


def matcher(pattern: str, known: Mapping[str, str] = {}, long: Collection[str] = ()) -> re.Pattern[str]:
    """The pattern as a regular expression: a field is any text without a slash.

    known: fields that stand for a text. long: fields that are as long as possible; all others are as short as possible.
    """
    parts = re.split(r"\{(\w+)\}", pattern)
    for i, name in enumerate(parts):
        if i % 2 == 0:
            parts[i] = re.escape(name)
        else:
            parts[i] = f"(?P<{name}>{re.escape(known[name]) if name in known else '[^/]+' + '?' * (name not in long)})"
    return re.compile("".join(parts))
