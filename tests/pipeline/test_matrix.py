"""Matrices: how settings combine, what the combinations are called, and which of them fit together."""

from typing import Any

import pytest

from pipeline.matrix import applied, joined, variant_name, variants


def test_no_matrix_is_one_variant_without_a_name() -> None:
    [variant] = variants({})
    assert (variant.labels, variant.parameters) == ({}, {})
    assert variant_name(variant.labels) == ""


def test_all_combinations_in_the_order_written() -> None:
    found = variants({"a": [1, 2], "how": {"x": {"b.c": 3, "d": 4}, "y": {"d": 5}}})
    assert [(variant.labels, variant.parameters) for variant in found] == [
        ({"a": 1, "how": "x"}, {"a": 1, "b.c": 3, "d": 4}),
        ({"a": 1, "how": "y"}, {"a": 1, "d": 5}),
        ({"a": 2, "how": "x"}, {"a": 2, "b.c": 3, "d": 4}),
        ({"a": 2, "how": "y"}, {"a": 2, "d": 5}),
    ]


def test_settings_go_to_their_dotted_places_and_leave_the_rest() -> None:
    parameters = {"model": {"width": 1, "blocks": 2}, "epochs": 3}
    assert applied(parameters, {"model.width": 4, "augment.flip": False}) == {
        "model": {"width": 4, "blocks": 2},
        "epochs": 3,
        "augment": {"flip": False},
    }
    assert parameters["model"] == {"width": 1, "blocks": 2}


@pytest.mark.parametrize(
    ("variant", "name"),
    [
        ({"model.width": 32, "modality": "rgb+pose"}, "width=32,modality=rgb+pose"),
        ({"a.size": 1, "b.size": 2}, "a.size=1,b.size=2"),
        ({"size": [1, 2], "rate": 0.5, "flip": False, "none": None}, "size=1-2,rate=0.5,flip=false,none=null"),
        ({"path": "../a b"}, "path=..-a-b"),
    ],
)
def test_names_are_fit_for_folders(variant: dict[str, Any], name: str) -> None:
    assert variant_name(variant) == name


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        ({"a": []}, "'a' should be a list of values, or a mapping of labels to parameters"),
        ({"a": 3}, "'a' should be a list of values, or a mapping of labels to parameters"),
        ({"a": [{"b": 1}]}, "'a' should be a list of values, or a mapping of labels to parameters"),
        ({"a": [1, 1]}, "two combinations are both called 'a=1'"),
        ({"a": ["x y", "x-y"]}, "two combinations are both called 'a=x-y'"),
        ({"a": [1], "b": {"x": {"a": 2}}}, "axes 'a' and 'b' both set 'a'"),
        ({"a.b": [1], "c": {"x": {"a": {}}}}, "axes 'a.b' and 'c' set 'a.b' and 'a', one within the other"),
        ({"c": {"x": {"a": {}, "a.b": 1}}}, "axes 'c' and 'c' set 'a' and 'a.b', one within the other"),
        ({"a": ["x" * 200]}, f"the combination 'a={'x' * 38}...' has too long a name for a folder: give its values"),
        ({"a": list(range(40)), "b": list(range(40))}, "the matrix has 1,600 combinations; at most 1,000 are allowed"),
    ],
)
def test_wrong_matrices(matrix: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError) as error:
        variants(matrix)
    assert str(error.value).startswith(message)


def test_variants_join_where_they_agree() -> None:
    ones = [{"a": 1}, {"a": 2}]
    others = [{"a": 2, "b": 3}, {"a": 1, "b": 4}, {"b": 5}]
    assert list(joined([ones, others])) == [
        ({"a": 1, "b": 4}, (0, 1)),
        ({"a": 1, "b": 5}, (0, 2)),
        ({"a": 2, "b": 3}, (1, 0)),
        ({"a": 2, "b": 5}, (1, 2)),
    ]
    assert list(joined([])) == [({}, ())]


def test_an_axis_set_to_null_falls_away() -> None:
    assert variants({"a": None, "b": [1], "exclude": None}) == variants({"b": [1]})
    assert variants({"a": None}) == variants({})


def test_combinations_are_left_out() -> None:
    matrix = {"window": [2, 4], "stride": [1, 2, [3]], "exclude": [{"window": 2, "stride": [3]}, {"stride": 1}]}
    assert [tuple(variant.labels.values()) for variant in variants(matrix)] == [(2, 2), (4, 2), (4, [3])]


@pytest.mark.parametrize(
    ("exclude", "message"),
    [
        ({"a": 1}, "'exclude' should be a list of combinations"),
        ([{}], "'exclude' should be a list of combinations"),
        ([{"a": 3}], "'exclude': {\"a\": 3} matches no combination that is left"),
        ([{"b": 1}], "'exclude': {\"b\": 1} matches no combination that is left"),
        ([{"a": 1}, {"a": 2}], "'exclude' leaves no combination"),
    ],
)
def test_wrong_exclusions(exclude: Any, message: str) -> None:
    with pytest.raises(ValueError) as error:
        variants({"a": [1, 2], "exclude": exclude})
    assert str(error.value).startswith(message)
