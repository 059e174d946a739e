"""recognition.json: the stages from a video to what a model predicts for it, beside the model's weights.

    {"format": 1, "partition": 32, "source": "index", "model": "train", "predict": "predict",
     "stages": {"decode": {"uses": "…", "needs": ["index"], "with": {…}}, …}}

``stages`` are those between the source and the predictions, without the source and the model, which ``needs`` name.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from pipeline.registry import load_stage
from pipeline.stage import StageUse
from stages.tables import CLIPS, FRAMES, PREDICTIONS

USAGE_FILE = "recognition.json"
FORMAT = 1


class UsedStage(BaseModel):
    """A stage as in a manifest."""

    model_config = ConfigDict(extra="forbid")

    uses: str
    needs: list[str]
    parameters: dict[str, Any] = Field(alias="with")

    @field_validator("uses")
    @classmethod
    def _full_name(cls, uses: str) -> str:
        if uses.count(":") != 1:
            raise ValueError(f"{uses!r} is not module:Class")
        return uses


class Usage(BaseModel):
    """How a model is used on videos."""

    model_config = ConfigDict(extra="forbid")

    format: int = FORMAT
    partition: int
    """Mean number of clips per partition."""
    source: str
    """What the stages call the source of clips."""
    model: str
    """What they call the stage that gives the model."""
    predict: str
    """The stage that predicts."""
    stages: dict[str, UsedStage]

    @model_validator(mode="after")
    def _predicts(self) -> "Usage":
        if self.predict not in self.stages:
            raise ValueError(f"predict: there is no stage {self.predict!r}")
        return self

    @property
    def reads_videos(self) -> bool:
        """Whether a stage makes frames; without one, the model was trained on skeleton files alone."""
        return any(load_stage(stage.uses).makes.name == FRAMES.name for stage in self.stages.values())

    @classmethod
    def read(cls, folder: Path) -> "Usage":
        """The usage of a model's folder. Raises FileNotFoundError, and ValueError with a sentence for people."""
        path = folder / USAGE_FILE
        try:
            values = json.loads(path.read_bytes())
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path}: damaged: {error}") from error
        if isinstance(values, dict) and isinstance(values.get("format"), int) and values["format"] > FORMAT:
            raise ValueError(f"{path}: written by a newer version of this package: update it")
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise ValueError(f"{path}: not a usage of a model: {error}") from error


def usage_of(uses: Sequence[StageUse], model: str, partition: int) -> Usage | None:
    """The usage of the model that the stage of this name makes; None if no stage predicts with it."""
    by_name = {use.name: use for use in uses}
    predict = next((use for use in uses if use.makes == PREDICTIONS.name and model in use.needs), None)
    source = next((use for use in uses if use.makes == CLIPS.name), None)
    if predict is None or source is None:
        return None
    needed = {predict.name}
    for use in reversed(uses):
        if use.name in needed and use.name != model:
            needed.update(use.needs)
    between = [name for name in by_name if name in needed - {source.name, model}]
    stages = {
        name: {"uses": use.uses, "needs": list(use.needs), "with": use.parameters}
        for name, use in by_name.items()
        if name in between
    }
    names = {"source": source.name, "model": model, "predict": predict.name}
    return Usage.model_validate({"partition": partition, **names, "stages": stages})
