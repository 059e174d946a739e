"""``matrix:`` multiplies a stage: one variant for each combination of settings, as in ablation tables.

    train:
      needs: cache
      matrix:
        modality: [rgb, pose, rgb+pose]          # one parameter; dotted where nested: model.width
        size:                                    # or labels, each setting several parameters at once
          small: {model.width: 32, epochs: 10}
          large: {model.width: 64, epochs: 20}

        exclude: [{modality: pose, size: large}]     # combinations to leave out, by some or all of their labels

Variants of two stages fit together if they agree in every axis that both have. An axis set to null falls away, which a
manifest that extends another one may need.
"""

import copy
import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

MAX_VARIANTS = 1000

EXCLUDE = "exclude"
"""The key beside the axes under which combinations are left out."""


class AxisValue(NamedTuple):
    """One point on an axis: what it is called there, and the parameters (by dotted name) that it sets."""

    label: Any
    parameters: dict[str, Any]


class Variant(NamedTuple):
    """One combination: its label on each axis, and all parameters it sets, each with the axis that sets it."""

    variant: dict[str, Any]
    parameters: dict[str, Any]
    axis_of: dict[str, str]


def variants(matrix: Mapping[str, Any]) -> list[Variant]:
    """All combinations, in the order written; a single empty one without a matrix. Raises ValueError for people."""
    given = {name: values for name, values in matrix.items() if values is not None}
    axes = {name: _settings(name, values) for name, values in given.items() if name != EXCLUDE}
    count = 1
    for settings in axes.values():
        count *= len(settings)
    if count > MAX_VARIANTS:
        raise ValueError(f"the matrix has {count:,} combinations; at most {MAX_VARIANTS:,} are allowed")
    found = []
    for combination in itertools.product(*axes.values()):
        variation = Variant({}, {}, {})
        for axis, setting in zip(axes, combination, strict=True):
            variation.variant[axis] = setting.label
            for parameter, value in setting.parameters.items():
                if parameter in variation.axis_of:
                    raise ValueError(f"axes '{variation.axis_of[parameter]}' and '{axis}' both set '{parameter}'")
                variation.parameters[parameter] = value
                variation.axis_of[parameter] = axis
        found.append(variation)
    found = _without(found, given.get(EXCLUDE, []))
    names = [variant_name(variation.variant) for variation in found]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"two combinations are both called '{name}'")
    return found


def applied(parameters: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of ``parameters`` with the settings put in at their dotted names."""
    result = copy.deepcopy(dict(parameters))
    for name, value in settings.items():
        *path, last = name.split(".")
        inner = result
        for step in path:
            if not isinstance(inner.get(step), dict):
                inner[step] = {}
            inner = inner[step]
        inner[last] = copy.deepcopy(value)
    return result


def joined(choices: Sequence[Sequence[Mapping[str, Any]]]) -> Iterator[tuple[dict[str, Any], tuple[int, ...]]]:
    """Pick one variant from each list so that all agree on shared axes: (their union, the index picked in each)."""
    partial: list[tuple[dict[str, Any], tuple[int, ...]]] = [({}, ())]
    for variants in choices:  # list by list, since most combinations of many lists disagree
        partial = [
            (union | dict(variant), (*picked, i))
            for union, picked in partial
            for i, variant in enumerate(variants)
            if all(union.get(axis, value) == value for axis, value in variant.items())
        ]
    yield from partial


def variant_name(variant: Mapping[str, Any]) -> str:
    """``modality=rgb,width=32``: fit for a node's name and for a folder's."""
    short = [axis.rpartition(".")[2] for axis in variant]
    return ",".join(
        f"{last if short.count(last) == 1 else axis}={_text(value)}"
        for (axis, value), last in zip(variant.items(), short, strict=True)
    )


def _settings(axis: str, values: Any) -> list[AxisValue]:
    if isinstance(values, Mapping) and values and all(isinstance(value, Mapping) for value in values.values()):
        return [AxisValue(label, dict(parameters)) for label, parameters in values.items()]
    if isinstance(values, list) and values and not any(isinstance(value, Mapping) for value in values):
        return [AxisValue(value, {axis: value}) for value in values]
    raise ValueError(
        f"'{axis}' should be a list of values, or a mapping of labels to parameters such as {{a: {{x: 1}}}}"
    )


def _without(found: list[Variant], excluded: Any) -> list[Variant]:
    """The variants that no item of ``exclude`` describes."""
    if not isinstance(excluded, list) or not all(isinstance(labels, Mapping) and labels for labels in excluded):
        raise ValueError(f"'{EXCLUDE}' should be a list of combinations such as [{{a: 1, b: 2}}]")
    for labels in excluded:
        kept = [one for one in found if any(one.variant.get(axis, ...) != label for axis, label in labels.items())]
        if len(kept) == len(found):
            raise ValueError(f"'{EXCLUDE}': no combination is left that {json.dumps(labels)} describes")
        found = kept
    if not found:
        raise ValueError(f"'{EXCLUDE}' leaves no combination")
    return found


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return re.sub(r"[^\w.+-]+", "-", text).strip("-") or "-"
