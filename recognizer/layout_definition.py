"""Users' own joint layouts, as YAML or JSON that defines them by names."""

import json
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from recognizer.joint_layout import Layout

LONGEST = 64_000
"""Characters of a definition."""
MOST_JOINTS = 256

Name = Annotated[str, Field(min_length=1, max_length=100)]
TwoNames = Annotated[list[Name], Field(min_length=2, max_length=2)]


class Definition(BaseModel):
    """The form of ``Layout.definition``. Where pairs are left out, they follow from ``left_…`` and ``right_…``."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    name: Name
    joints: list[Name] = Field(min_length=1, max_length=MOST_JOINTS)
    edges: list[TwoNames] = Field([], max_length=4 * MOST_JOINTS)
    pairs: list[TwoNames] | None = Field(None, max_length=MOST_JOINTS)
    about: str = Field("", max_length=1000)


def read_definition(path: Path) -> Layout:
    """The layout that a YAML file defines, called like the file unless it says its name.

    Raises ValueError that names the file and what is wrong.
    """
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(LONGEST + 1)
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"layout file {path} cannot be read: {error}") from error
    try:
        return parse_definition(text, path.stem)
    except ValueError as error:
        raise ValueError(f"layout file {path}: {error}") from None


def parse_definition(text: str, name: str | None = None) -> Layout:
    """The layout that a text defines. name: what it is called unless the text says so. Raises ValueError."""
    if len(text) > LONGEST:
        raise ValueError(f"a layout's definition has at most {LONGEST:,} characters")
    try:
        values = json.loads(text) if text.startswith("{") else yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ValueError(f"not YAML{line}: {error.problem}") from None
    except (ValueError, yaml.YAMLError, RecursionError) as error:
        raise ValueError(f"neither JSON nor YAML: {type(error).__name__}") from None
    if not isinstance(values, dict):
        raise ValueError("a layout's definition is a mapping of name, joints, edges and pairs")
    try:
        found = Definition.model_validate(({"name": name} if name else {}) | values)
    except ValidationError as error:
        wrong = error.errors(include_url=False, include_input=False, include_context=False)[0]
        raise ValueError(f"{'.'.join(map(str, wrong['loc']))}: {wrong['msg']}") from None
    return Layout.from_names(found.name, found.joints, found.edges, found.pairs, found.about)
