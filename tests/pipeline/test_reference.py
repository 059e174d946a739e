"""The parameters of stages, as ``pipeline stages`` shows them."""

from enum import Enum
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from pipeline.errors import ManifestError
from pipeline.reference import all_stages, parameters, summary
from pipeline.registry import find_stage, known_stages
from pipeline.stage import Stage

STAGES = list(known_stages())


class Fit(BaseModel):
    strength: float = 0.5
    """How much."""


class Speed(Enum):
    fast = 1


class Mine(Stage):
    """Mine, with ``quotes``."""

    fit: Fit = Fit()
    """How it fits."""
    speed: Speed = Speed.fast
    """How fast."""
    weights: Path | None = None
    share: float
    """How many."""


def test_every_stage_of_the_package_says_what_it_does() -> None:
    rows = list(all_stages())
    assert [row[0] for row in rows] == STAGES
    assert {row[1] for row in rows} == {"source", "clip by clip", "whole"}
    assert all(len(row[2]) > 20 for row in rows)


@pytest.mark.parametrize("uses", STAGES)
def test_every_parameter_is_explained_and_its_default_is_what_a_manifest_would_say(uses: str) -> None:
    stage = find_stage(uses)
    for parameter in parameters(stage):
        assert parameter.text, parameter.name
        field = stage.model_fields.get(parameter.name)
        if field is None or not parameter.kind:  # it is nested in another one, or others are nested in it
            continue
        if parameter.value is None:
            assert field.is_required()
            continue
        default = field.get_default(call_default_factory=True)
        plain = str(default) if isinstance(default, Path) else list(default) if isinstance(default, tuple) else default
        assert yaml.safe_load(parameter.value) == plain


def test_what_the_data_decide_is_no_parameter() -> None:
    names = {parameter.name for parameter in parameters(find_stage("train"))}
    assert {"model.width", "augment.flip", "epochs", "model"} <= names
    assert not names & {"model.class_names", "model.layout", "model.frames", "model.preprocessing"}


def test_a_stage_of_ones_own() -> None:
    assert summary(Mine) == "Mine, with quotes."
    assert [tuple(parameter) for parameter in parameters(Mine)] == [
        ("fit", None, "", "How it fits."),
        ("fit.strength", "0.5", "number", ""),
        ("speed", '"Speed.fast"', "Speed", "How fast."),
        ("weights", "null", "path | null", ""),
        ("share", None, "number", "How many."),
    ]


def test_an_unknown_stage() -> None:
    with pytest.raises(ManifestError, match="did you mean 'train'"):
        find_stage("trian")
