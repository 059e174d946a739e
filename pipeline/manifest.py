"""Manifests: YAML files that say which stages to run, on which data, with which parameters.

    name: demo                            # of the run's folder; the file's name unless given
    extends: base/paper.yaml              # one or more manifests that this one changes: relative paths or shipped ones
    store: store                          # where results are kept: a folder, or any URL that fsspec opens
    stages:
      index:  {uses: folder, with: {root: "${VIDEOS}"}}
      decode: {needs: index, with: {frames: 12}}
      cache:  {needs: [decode]}

Mappings of an extended manifest are merged key by key; everything else is replaced. A stage that is set to null is
removed, and one that changes its ``uses`` starts without parameters. ``"${NAME}"`` and ``"${NAME:-default}"`` are
replaced from the environment; ``$${`` is a literal ``${``.
"""

import copy
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

from pipeline.errors import ManifestError, PipelineError
from pipeline.layers import expand, override, place_of, read_layers, strings_of
from pipeline.matrix import LONGEST_NAME, applied, variants
from pipeline.parameters import Complaint, checked, raise_complaints
from pipeline.registry import load_stage, name_of, resolve
from pipeline.stage import Stage
from pipeline.urls import is_url
from pipeline.yaml_lines import KeyPath, Place


class Head(BaseModel):
    """The keys at the top of a manifest."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    name: str
    """Name of the run and of its folder below ``runs``."""
    description: str = ""
    """One line for people."""
    extends: str | list[str] | None = None
    """Manifests that this one builds on: paths relative to this file, or names in ``pipeline manifests``."""
    store: str = Field("store", min_length=1)
    """Where results are kept: a folder, or a URL such as ``s3://bucket/store``."""
    runs: str = Field("runs", min_length=1)
    """The folder that contains a folder for each run, or a URL such as ``s3://bucket/runs``."""
    partition: int = Field(32, ge=1, le=100_000)
    """Mean number of clips per partition."""
    max_failed: float = Field(0.05, ge=0, le=1)
    """Share of clips that may fail before the run counts as failed. Unless it is 0, one clip may always fail."""
    stages: dict[str, Any] = Field(min_length=1)
    """The stages, by the name that this manifest gives them."""

    @field_validator("name")
    @classmethod
    def _fit_for_a_folder(cls, name: str) -> str:
        if not name.isprintable() or not name.strip() or name.startswith(".") or re.search(r"[/\\\\]", name):
            raise ValueError(f"{name!r} cannot be the name of a folder; it must not contain '/' or start with '.'")
        if len(name.encode()) > LONGEST_NAME:
            raise ValueError(f"{name[:40]!r}... is too long for the name of a folder: at most {LONGEST_NAME} bytes")
        return name

    @field_validator("runs")
    @classmethod
    def _in_the_home_folder(cls, runs: str) -> str:
        return runs if is_url(runs) else str(Path(runs).expanduser())


class Body(BaseModel):
    """The keys of one stage."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    uses: str | None = None
    """A stage of the package, or ``package.module:Class``. Default: the stage's own name."""
    needs: Annotated[list[str], BeforeValidator(lambda needs: [needs] if isinstance(needs, str) else needs)] = []
    """Stages whose results this one takes."""
    parameters: dict[str, Any] | None = Field(None, alias="with")
    """The stage's parameters."""
    matrix: dict[str, Any] | None = None
    """The axes that multiply the stage into variants (see ``pipeline.matrix``)."""


@dataclass(frozen=True)
class StageSpec:
    """One stage of a manifest, fully expanded."""

    name: str
    uses: str
    """``module:Class``"""
    needs: tuple[str, ...]
    parameters: dict[str, Any]
    matrix: dict[str, Any]


@dataclass(frozen=True)
class Manifest:
    """A manifest with known keys, known stages and valid parameters. How stages fit together: ``pipeline.graph``."""

    name: str
    path: str
    store: str
    runs: str
    partition: int
    max_failed: float
    stages: tuple[StageSpec, ...]
    resolved: dict[str, Any]
    """The manifest, fully expanded, as plain JSON values that ``manifest_from_dict`` reads."""
    places: dict[KeyPath, Place] = field(repr=False, compare=False)

    def where(self, path: KeyPath) -> Place:
        """The place of a value by its path from the top, or of the nearest value around it."""
        return place_of(self.places, path, self.path)

    def blame(self, stage: str, error: PipelineError) -> ManifestError:
        """The error with a place: that of the stage's parameter whose value it quotes, or that of the stage."""
        return ManifestError(f"{self.place_of_quoted(stage, str(error))}: stage '{stage}': {error}")

    def place_of_quoted(self, stage: str, text: str) -> Place:
        """The place of the stage's parameter whose value the text quotes, or of the stage."""
        spec = next(spec for spec in self.stages if spec.name == stage)
        top = ("stages", stage)
        quoted = [path for path, value in strings_of(spec.parameters, ()) if value and value in text]
        return self.where((*top, "with", *quoted[0]) if quoted else top)


def load_manifest(
    path: Path | str, overrides: Sequence[str] = (), environ: Mapping[str, str] | None = None
) -> Manifest:
    """Read a manifest and all that it extends, then apply ``overrides`` like ``train.epochs=2``, then the environment.

    Raises ManifestError with one line for each error. No stage is run; only the files that define the stages are
    imported.
    """
    origin = os.path.normpath(path)
    values, places = read_layers(Path(origin), origin)
    values.setdefault("name", Path(origin).stem)
    heads = [key for key in Head.model_fields if key not in ("extends", "stages")]
    for option in overrides:
        override(values, places, option, heads)
    complaints = list(expand(values, places, origin, os.environ if environ is None else environ))
    return _checked_manifest(values, places, origin, complaints)


def manifest_from_dict(resolved: Mapping[str, Any], origin: str) -> Manifest:
    """A manifest from the value of ``Manifest.resolved``. origin: where it came from, for error texts."""
    return _checked_manifest(copy.deepcopy(dict(resolved)), {}, origin, [])


def load_resolved(path: Path) -> Manifest:
    """The manifest in a run's folder. Raises ManifestError if the file is damaged or no longer valid."""
    try:
        resolved = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ManifestError(f"{path}: the run's manifest cannot be read: {error}") from None
    if not isinstance(resolved, dict):
        raise ManifestError(f"{path}: is not the manifest of a run")
    return manifest_from_dict(resolved, str(path))


def built_stages(spec: StageSpec, places: Mapping[KeyPath, Place], origin: str) -> tuple[list[Stage], list[Complaint]]:
    """One instance of the stage for each variant of its matrix, in order, and what is wrong."""
    top = ("stages", spec.name)
    subject = f"stage '{spec.name}': "
    try:
        cls = load_stage(spec.uses)
    except ManifestError as error:
        key = (*top, "uses")
        return [], [Complaint(place_of(places, key, origin), f"{subject}{error}")]
    try:
        found = variants(spec.matrix)
    except ValueError as error:
        return [], [Complaint(place_of(places, (*top, "matrix"), origin), f"{subject}{error}")]
    called = name_of(spec.uses)
    stages, complaints = [], []
    for variant in found:

        def where(path: KeyPath, axis_of: dict[str, str] = variant.axis_of) -> Place:
            for parameter, axis in axis_of.items():
                if path and tuple(parameter.split("."))[: len(path)] == path[: len(parameter.split("."))]:
                    return place_of(places, (*top, "matrix", axis), origin)
            return place_of(places, (*top, "with", *path), origin)

        for parameter in variant.parameters:
            set_at = places.get((*top, "with", *parameter.split(".")))
            if set_at is not None and not set_at.line:
                complaints.append(Complaint(set_at, f"{subject}'{parameter}' is set by the matrix"))
        values = applied(spec.parameters, variant.parameters)
        stage, wrong = checked(cls, values, where, subject, listing=f"pipeline stages {called}")
        complaints += wrong
        if stage is not None:
            stages.append(stage)
            complaints += _missing_files(stage, values, where, subject)
    return stages, complaints


def _checked_manifest(
    values: dict[str, Any], places: dict[KeyPath, Place], origin: str, complaints: list[Complaint]
) -> Manifest:
    """Check everything that can be checked for each stage by itself, and raise all errors at once."""

    def where(path: KeyPath) -> Place:
        return place_of(places, path, origin)

    def report(found: list[Complaint]) -> None:
        unset = {complaint.place for complaint in complaints}  # the value there is not the final one
        complaints.extend(complaint for complaint in found if complaint.place not in unset)

    head, wrong = checked(Head, values, where, noun="key")
    report(wrong)
    specs = []
    stages = values.get("stages")
    for name, body in stages.items() if isinstance(stages, dict) else ():
        spec, wrong = stage_spec(name, body, where)
        report(wrong)
        if spec is not None:
            report(built_stages(spec, places, origin)[1])
            specs.append(spec)
    raise_complaints(complaints)
    assert head is not None
    resolved = head.model_dump(exclude={"extends", "stages"}) | {
        "stages": {
            spec.name: {"uses": name_of(spec.uses), "needs": list(spec.needs), "with": spec.parameters}
            | ({"matrix": spec.matrix} if spec.matrix else {})
            for spec in specs
        }
    }
    return Manifest(
        head.name, origin, head.store, head.runs, head.partition, head.max_failed, tuple(specs), resolved, places
    )


def stage_spec(name: str, body: Any, where: Any) -> tuple[StageSpec | None, list[Complaint]]:
    """The stage, or what is wrong with its keys."""
    top: KeyPath = ("stages", name)
    subject = f"stage '{name}': "
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", name):
        return None, [Complaint(where(top), f"'{name}' cannot name a stage; use letters, digits, '_' and '-'")]
    if not isinstance(body, dict):
        return None, [Complaint(where(top), f"{subject}should be a mapping of uses, needs and with, or {{}}")]
    made, wrong = checked(Body, body, lambda path: where((*top, *path)), subject, "key")
    if made is None:
        return None, wrong
    try:
        uses = resolve(made.uses or name)
    except ManifestError as error:
        return None, [Complaint(where((*top, "uses")), f"{subject}{error}")]
    return StageSpec(name, uses, tuple(made.needs), made.parameters or {}, made.matrix or {}), []


def _missing_files(stage: Stage, values: dict[str, Any], where: Any, subject: str) -> list[Complaint]:
    """Complaints about missing files that parameters name."""
    try:
        files = stage.files()
    except ManifestError as error:
        return [Complaint(where(()), f"{subject}{error}")]
    missing = {str(file.absolute()) for file in files if isinstance(file, Path) and not file.exists()}
    return [
        Complaint(where(path), f"{subject}'{'.'.join(map(str, path))}': no such file: {text}")
        for path, text in strings_of(values, ())
        if str(Path(text).expanduser().absolute()) in missing
    ]
