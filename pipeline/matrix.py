"""``matrix:`` multiplies a stage: one variant for each combination of its axes' values, as in ablation tables.

    train:
      needs: cache
      matrix:
        modality: [rgb, pose, rgb+pose]          # values of one parameter; nested ones have dots: model.width
        size:                                    # or labels, each of which sets several parameters
          small: {model.width: 32, epochs: 10}
          large: {model.width: 64, epochs: 20}
        exclude: [{modality: pose, size: large}] # combinations to leave out, by some or all of their labels

Variants of two stages fit together if they agree on every axis that both have. An axis that is set to null is removed:
a manifest can thus remove an axis of one that it extends.
"""

import copy
import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

MAX_VARIANTS = 1000
LONGEST_NAME = 200
"""Bytes of the name of a run or a variant: file systems allow 255 for that of a folder, and what is in it adds some."""

EXCLUDE = "exclude"
"""The key, beside the axes, that lists combinations to leave out."""


class AxisValue(NamedTuple):
    """One value of an axis: its label, and the parameters (by dotted name) that it sets."""

    label: Any
    parameters: dict[str, Any]


class Variant(NamedTuple):
    """One combination of the axes' values."""

    labels: dict[str, Any]
    """The label on each axis. The variant is named after them."""
    parameters: dict[str, Any]
    """All parameters that it sets, by dotted name."""
    axis_of: dict[str, str]
    """The axis that sets each parameter."""


def variants(matrix: Mapping[str, Any]) -> list[Variant]:
    """All combinations, in the order written; without a matrix, a single empty one. Raises ValueError for people."""
    given = {name: values for name, values in matrix.items() if values is not None}
    axes = {name: _axis_values(name, values) for name, values in given.items() if name != EXCLUDE}
    count = 1
    for axis_values in axes.values():
        count *= len(axis_values)
    if count > MAX_VARIANTS:
        raise ValueError(f"the matrix has {count:,} combinations; at most {MAX_VARIANTS:,} are allowed")
    found = []
    for combination in itertools.product(*axes.values()):
        variant = Variant({}, {}, {})
        for axis, axis_value in zip(axes, combination, strict=True):
            variant.labels[axis] = axis_value.label
            for parameter, value in axis_value.parameters.items():
                _refuse_twice(parameter, axis, variant.axis_of)
                variant.parameters[parameter] = value
                variant.axis_of[parameter] = axis
        found.append(variant)
    found = _without(found, given.get(EXCLUDE, []))
    names = [variant_name(variant.labels) for variant in found]
    for name in names:
        if len(name.encode()) > LONGEST_NAME:
            raise ValueError(
                f"the combination '{name[:40]}...' has too long a name for a folder: give its values labels, as in "
                "{short: {PARAMETER: VALUE}}"
            )
        if names.count(name) > 1:
            raise ValueError(f"two combinations are both called '{name}'")
    return found


def _refuse_twice(parameter: str, axis: str, axis_of: Mapping[str, str]) -> None:
    """Raise ValueError if a parameter, or one within it or around it, is set already."""
    for other, its_axis in axis_of.items():
        if other == parameter:
            raise ValueError(f"axes '{its_axis}' and '{axis}' both set '{parameter}'")
        if f"{parameter}.".startswith(f"{other}.") or f"{other}.".startswith(f"{parameter}."):
            raise ValueError(f"axes '{its_axis}' and '{axis}' set '{other}' and '{parameter}', one within the other")


def applied(parameters: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of ``parameters`` with the changes, given by dotted names."""
    result = copy.deepcopy(dict(parameters))
    for name, value in changes.items():
        *path, last = name.split(".")
        inner = result
        for step in path:
            if not isinstance(inner.get(step), dict):
                inner[step] = {}
            inner = inner[step]
        inner[last] = copy.deepcopy(value)
    return result


def joined(needs: Sequence[Sequence[Mapping[str, Any]]]) -> Iterator[tuple[dict[str, Any], tuple[int, ...]]]:
    """All ways to pick labels from each list that agree on shared axes: (union of the labels, index in each list)."""
    partial: list[tuple[dict[str, Any], tuple[int, ...]]] = [({}, ())]
    for choices in needs:  # list by list, because most combinations disagree early
        partial = [
            (union | dict(labels), (*picked, i))
            for union, picked in partial
            for i, labels in enumerate(choices)
            if all(union.get(axis, label) == label for axis, label in labels.items())
        ]
    yield from partial


def variant_name(labels: Mapping[str, Any]) -> str:
    """``modality=rgb,width=32``: part of the names of nodes and folders."""
    short = [axis.rpartition(".")[2] for axis in labels]
    return ",".join(
        f"{last if short.count(last) == 1 else axis}={_text(label)}"
        for (axis, label), last in zip(labels.items(), short, strict=True)
    )


def _axis_values(axis: str, values: Any) -> list[AxisValue]:
    if isinstance(values, Mapping) and values and all(isinstance(value, Mapping) for value in values.values()):
        return [AxisValue(label, dict(parameters)) for label, parameters in values.items()]
    if isinstance(values, list) and values and not any(isinstance(value, Mapping) for value in values):
        return [AxisValue(value, {axis: value}) for value in values]
    raise ValueError(
        f"'{axis}' should be a list of values, or a mapping of labels to parameters such as {{a: {{x: 1}}}}"
    )


def _without(found: list[Variant], excluded: Any) -> list[Variant]:
    """The variants that match no item of ``exclude``."""
    if not isinstance(excluded, list) or not all(isinstance(labels, Mapping) and labels for labels in excluded):
        raise ValueError(f"'{EXCLUDE}' should be a list of combinations such as [{{a: 1, b: 2}}]")
    for labels in excluded:
        kept = [one for one in found if any(one.labels.get(axis, ...) != label for axis, label in labels.items())]
        if len(kept) == len(found):
            raise ValueError(f"'{EXCLUDE}': {json.dumps(labels)} matches no combination that is left")
        found = kept
    if not found:
        raise ValueError(f"'{EXCLUDE}' leaves no combination")
    return found


def _text(label: Any) -> str:
    text = label if isinstance(label, str) else json.dumps(label)
    return re.sub(r"[^\w.+-]+", "-", text).strip("-") or "-"
