"""Every kind of wrong value gets one line in plain words."""

from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, model_validator

from pipeline.parameters import checked
from pipeline.yaml_lines import KeyPath, Place


class Inner(BaseModel):
    model_config = ConfigDict(extra="forbid")

    width: int = Field(3, ge=1, multiple_of=3)
    modality: Literal["rgb", "pose"] = "rgb"


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid")

    needed: int
    inner: Inner = Inner()
    size: tuple[int, int] | None = None
    range: float | Literal["volume"] = 1.0
    name: str = "x"
    file: Path | None = None
    choices: dict[str, list[int]] = {}

    @model_validator(mode="after")
    def _consistent(self) -> "Model":
        if self.name == "bad":
            raise ValueError("a bad name needs no size")
        if self.name == "worse":
            raise KeyError("worse")
        return self


def texts(**values: Any) -> list[str]:
    def where(path: KeyPath) -> Place:
        return Place("/".join(map(str, path)))

    made, complaints = checked(Model, values, where)
    assert (made is None) == bool(complaints)
    return [str(complaint) for complaint in complaints]


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"needed": "x"}, "needed: 'needed' should be an integer, not 'x'"),
        ({"needed": 1.5}, "needed: 'needed' should be an integer, not 1.5"),
        ({"needed": True}, "needed: 'needed' should not be true or false"),
        ({"needed": None}, "needed: 'needed' should be an integer, not null"),
        ({}, ": parameter 'needed' is missing"),
        ({"needed": 1, "nam": "y"}, "nam: unknown parameter 'nam'; did you mean 'name'?"),
        ({"needed": 1, "inner": {"widht": 3}}, "inner/widht: unknown parameter 'inner.widht'; did you mean 'width'?"),
        ({"needed": 1, "width": 3}, "width: unknown parameter 'width'; did you mean 'inner.width'?"),
        (
            {"needed": 1, "inner": {"needed": 3}},
            "inner/needed: unknown parameter 'inner.needed'; did you mean 'needed'?",
        ),
        ({"needed": 1, "inner": {"wi": 3}}, "inner/wi: unknown parameter 'inner.wi'; there are: width, modality"),
        ({"needed": 1, "inner": {"mod": 3}}, "inner/mod: unknown parameter 'inner.mod'; did you mean 'modality'?"),
        ({"needed": 1, "inner": {"width": 4}}, "inner/width: 'inner.width' should be a multiple of 3, not 4"),
        (
            {"needed": 1, "inner": {"modality": "rbg"}},
            "inner/modality: 'inner.modality' should be 'rgb' or 'pose' (did you mean 'rgb'?), not 'rbg'",
        ),
        ({"needed": 1, "size": [1]}, "size: parameter 'size.1' is missing"),
        ({"needed": 1, "size": [1, "x"]}, "size/1: 'size.1' should be an integer, not 'x'"),
        ({"needed": 1, "size": [1, True]}, "size/1: 'size.1' should not be true or false"),
        ({"needed": 1, "range": "all"}, "range: 'range' should be a number or 'volume', not 'all'"),
        ({"needed": 1, "file": 3}, "file: 'file' should be a path, not 3"),
        ({"needed": 1, "choices": {"a": [1, "b"]}}, "choices/a/1: 'choices.a.1' should be an integer, not 'b'"),
        ({"needed": 1, "name": "worse"}, ": parameters cannot be checked: KeyError: 'worse'"),
        ({"needed": 1, "name": "bad"}, "name: a bad name needs no size"),
    ],
)
def test_one_line(values: dict[str, Any], text: str) -> None:
    assert texts(**values) == [text]


def test_good_values_make_the_model() -> None:
    assert texts(needed="3", size=[1, 2], range="volume", file="x", inner={"width": 6}) == []
