"""What a manifest is put together from: files it extends, options of the command line, the environment."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import ManifestError
from pipeline.layers import MAX_FILES, expand, override, place_of, read_layers, strings_of
from pipeline.yaml_lines import Located, Place, parse_yaml

BASE = """\
partition: 8
stages:
  index:
    uses: toy_stages:Numbers
    with: {count: 20}
  double: {uses: "toy_stages:Double", needs: index}
  add:
    uses: toy_stages:Add
    needs: double
    with:
      amount: 3
      limit: 5
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("base.yaml").write_text(BASE)


def read(text: str) -> Located:
    Path("m.yaml").write_text(text)
    return read_layers(Path("m.yaml"), "m.yaml")


def refusal(text: str) -> str:
    with pytest.raises(ManifestError) as error:
        read(text)
    return str(error.value)


# Files


def test_a_manifest_by_itself_is_what_it_says() -> None:
    assert read(BASE) == parse_yaml(BASE, "m.yaml")


def test_mappings_are_merged_key_by_key_and_all_else_is_replaced() -> None:
    values = read("extends: base.yaml\nstages:\n  add: {with: {amount: 4}, needs: [double, index]}\n").value
    assert "extends" not in values
    assert values["partition"] == 8
    assert list(values["stages"]) == ["index", "double", "add"]
    assert values["stages"]["add"] == {
        "uses": "toy_stages:Add",
        "needs": ["double", "index"],
        "with": {"amount": 4, "limit": 5},
    }


def test_every_value_keeps_the_place_where_it_was_written() -> None:
    places = read("extends: base.yaml\npartition: 4\nstages:\n  add:\n    with: {amount: 4}\n").places
    add = ("stages", "add", "with")
    assert places[("partition",)] == Place("m.yaml", 2)
    assert places[(*add, "amount")] == Place("m.yaml", 5)
    assert places[(*add, "limit")] == Place("base.yaml", 12)
    assert places[("stages", "index")] == Place("base.yaml", 3)
    assert places[()] == Place("m.yaml", 1)


def test_places_below_a_replaced_value_are_forgotten() -> None:
    places = read("extends: base.yaml\nstages:\n  add:\n    with: 3\n").places
    assert places[("stages", "add", "with")] == Place("m.yaml", 4)
    assert ("stages", "add", "with", "amount") not in places


def test_of_several_the_later_one_wins_and_paths_are_relative_to_the_file() -> None:
    Path("deep").mkdir()
    Path("deep/one.yaml").write_text("extends: ../base.yaml\nstages: {add: {with: {amount: 4}}}\n")
    Path("deep/two.yaml").write_text("stages: {add: {with: {amount: 5}}}\npartition: 9\n")
    merged = read("extends: [deep/one.yaml, deep/two.yaml]\n")
    assert merged.value["stages"]["add"]["with"] == {"amount": 5, "limit": 5}
    assert merged.value["partition"] == 9
    assert merged.places[("partition",)] == Place("deep/two.yaml", 2)
    merged = read("extends: [deep/two.yaml, deep/one.yaml]\n")
    assert merged.value["stages"]["add"]["with"] == {"amount": 4, "limit": 5}
    assert merged.value["partition"] == 8


def test_a_stage_set_to_null_is_removed() -> None:
    assert list(read("extends: base.yaml\nstages: {add: null}\n").value["stages"]) == ["index", "double"]


def test_any_other_null_is_a_value() -> None:
    values = read("extends: base.yaml\nstages: {index: {with: {count: null}}}\n").value
    assert values["stages"]["index"]["with"] == {"count": None}


def test_a_stage_of_another_class_starts_without_parameters_and_matrix() -> None:
    Path("more.yaml").write_text("extends: base.yaml\nstages: {add: {matrix: {amount: [1, 2]}}}\n")
    other = "extends: more.yaml\nstages: {add: {uses: 'toy_stages:Double', with: {factor: 3}}}\n"
    assert read(other).value["stages"]["add"] == {
        "uses": "toy_stages:Double",
        "needs": "double",
        "with": {"factor": 3},
    }
    same = "extends: more.yaml\nstages: {add: {uses: 'toy_stages:Add'}}\n"
    assert read(same).value["stages"]["add"]["with"] == {"amount": 3, "limit": 5}


def test_a_description_belongs_to_a_name() -> None:
    Path("told.yaml").write_text("extends: base.yaml\nname: told\ndescription: what it is\n")
    assert read("extends: told.yaml\n").value["description"] == "what it is"
    assert "description" not in read("extends: told.yaml\nname: other\n").value
    assert read("extends: told.yaml\nname: other\ndescription: mine\n").value["description"] == "mine"


def test_a_manifest_may_be_reached_twice_but_not_from_itself() -> None:
    Path("one.yaml").write_text("extends: base.yaml\n")
    assert read("extends: [one.yaml, base.yaml]\n").value["partition"] == 8
    Path("one.yaml").write_text("# first\nextends: two.yaml\n")
    Path("two.yaml").write_text("extends: one.yaml\n")
    assert refusal("extends: one.yaml\n") == (
        "two.yaml:1: 'extends' goes in a circle: m.yaml → one.yaml → two.yaml → one.yaml"
    )
    assert refusal("extends: ./m.yaml\n") == "m.yaml:1: 'extends' goes in a circle: m.yaml → m.yaml"


def test_the_number_of_files_is_bounded() -> None:
    several = ["base.yaml"] * (MAX_FILES - 1)
    assert read(f"extends: {several}\n").value["partition"] == 8
    assert refusal(f"extends: {[*several, 'base.yaml']}\n") == f"m.yaml: extends more than {MAX_FILES} manifests"


def test_the_number_of_files_is_bounded_through_several_levels() -> None:
    Path("m0.yaml").write_text(BASE)
    for i in range(1, 20):
        Path(f"m{i}.yaml").write_text(f"extends: [m{i - 1}.yaml, m{i - 1}.yaml]\n")
    with pytest.raises(ManifestError, match=f"^m19.yaml: extends more than {MAX_FILES} manifests$"):
        read_layers(Path("m19.yaml"), "m19.yaml")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "m.yaml:1: is empty"),
        ("\n- 1\n", "m.yaml:2: must be a mapping with the key 'stages'"),
        ("name: x\nextends: [1]\n", "m.yaml:2: 'extends' should be a path or a list of paths"),
        ("extends: {}\n", "m.yaml:1: 'extends' should be a path or a list of paths"),
        ("extends: ['']\n", "m.yaml:1: 'extends' should be a path or a list of paths"),
        ("extends: bse.yaml\n", "m.yaml:1: 'extends': no such file: bse.yaml; did you mean 'base.yaml'?"),
        ("extends: nothing/like.it\n", "m.yaml:1: 'extends': no such file: nothing/like.it"),
    ],
)
def test_wrong_files(text: str, message: str) -> None:
    assert refusal(text) == message


# Options


def overridden(*options: str) -> tuple[dict[str, Any], dict]:
    values, places = parse_yaml(BASE, "m.yaml")
    for option in options:
        override(values, places, option, ["name", "partition"])
    return values, places


@pytest.mark.parametrize(
    ("option", "path", "value"),
    [
        ("add.amount=9", ("stages", "add", "with", "amount"), 9),
        ("double.factor=9", ("stages", "double", "with", "factor"), 9),
        ("double.a.b=9", ("stages", "double", "with", "a", "b"), 9),
        ("stages.add.needs=[index]", ("stages", "add", "needs"), ["index"]),
        ("stages.other={uses: x}", ("stages", "other"), {"uses": "x"}),
        ("partition=4", ("partition",), 4),
        (" partition =4", ("partition",), 4),
        ("name=a=b", ("name",), "a=b"),
        ("index.file=null", ("stages", "index", "with", "file"), None),
        ("index.file=", ("stages", "index", "with", "file"), None),
        ("index.count=0x1", ("stages", "index", "with", "count"), "0x1"),
        ("index.group={group}_part{n}", ("stages", "index", "with", "group"), "{group}_part{n}"),
    ],
)
def test_an_option_sets_a_parameter_or_a_key_at_the_top(option: str, path: Sequence[str], value: object) -> None:
    values, places = overridden(option)
    assert str(places[tuple(path)]) == f"--set {option}"
    found: Any = values
    for step in path:
        found = found[step]
    assert found == value


def test_an_option_leaves_all_else_as_it_is() -> None:
    before = parse_yaml(BASE, "m.yaml")
    values, places = overridden("add.amount=9")
    values["stages"]["add"]["with"]["amount"] = 3
    path = ("stages", "add", "with", "amount")
    assert values == before.value
    assert places | {path: before.places[path]} == before.places


def test_an_option_may_remove_a_stage() -> None:
    assert list(overridden("stages.add=null")[0]["stages"]) == ["index", "double"]


def test_the_last_option_wins_and_takes_the_places_below_along() -> None:
    values, places = overridden("add.amount={x: {y: 1}}", "add.amount.x=2", "stages.add.with={limit: 3}")
    assert values["stages"]["add"]["with"] == {"limit": 3}
    assert [path for path in places if path[:2] == ("stages", "add")] == [
        ("stages", "add"),
        ("stages", "add", "uses"),
        ("stages", "add", "needs"),
        ("stages", "add", "with"),
    ]


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("amount", "write STAGE.PARAMETER=VALUE"),
        ("=3", "write STAGE.PARAMETER=VALUE"),
        ("add..amount=3", "write STAGE.PARAMETER=VALUE"),
        ("add=3", "name a parameter of the stage: add.PARAMETER=VALUE"),
        ("ad.amount=3", "no stage or key is called 'ad'; did you mean 'add'?"),
        ("partitio=3", "no stage or key is called 'partitio'; did you mean 'partition'?"),
        ("amount=3", "no stage or key is called 'amount'; write add.amount=3"),
    ],
)
def test_wrong_options(option: str, message: str) -> None:
    with pytest.raises(ManifestError) as error:
        overridden(option)
    assert str(error.value) == f"--set {option}: {message}"


def test_an_option_whose_value_is_not_yaml_is_named() -> None:
    with pytest.raises(ManifestError, match=r"^--set add\.amount=\[1: is not valid YAML"):
        overridden("add.amount=[1")


# The environment

ENVIRONMENT = {"HOME": "/home/me", "STORE": "/data", "EMPTY": "", "DEEP": "${HOME}"}


def expanded(text: str) -> tuple[str, list[str]]:
    """A text after expansion, and the complaints about it."""
    values: dict[str, Any] = {"stages": {"a": [{"b": text}]}}
    places = {("stages", "a"): Place("m.yaml", 7)}
    complaints = [str(complaint) for complaint in expand(values, places, "m.yaml", ENVIRONMENT)]
    return values["stages"]["a"][0]["b"], complaints


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${STORE}", "/data"),
        ("a ${STORE}/b ${HOME}", "a /data/b /home/me"),
        ("${STORE:-other}", "/data"),
        ("${NONE:-other one}", "other one"),
        ("${NONE:-}", ""),
        ("${EMPTY:-other}", "other"),
        ("$${STORE}", "${STORE}"),
        ("${DEEP}", "${HOME}"),
        ("$STORE $ {}", "$STORE $ {}"),
    ],
)
def test_variables_are_expanded_once(text: str, expected: str) -> None:
    assert expanded(text) == (expected, [])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${NONE}", "environment variable NONE is not set; export NONE=…"),
        ("${STOR}", "environment variable STOR is not set; did you mean 'STORE'?"),
        ("${EMPTY}", "environment variable EMPTY is empty; set it, or write ${EMPTY:-} if it may be"),
        ("${", "'${' does not start a variable; write ${NAME}, ${NAME:-default}, or $${ for '${'"),
        ("${1}", "'${' does not start a variable; write ${NAME}, ${NAME:-default}, or $${ for '${'"),
    ],
)
def test_a_missing_variable_is_left_as_it_is_and_named(text: str, message: str) -> None:
    assert expanded(text)[0] == text
    [complaint] = expanded(text)[1]
    assert complaint.startswith(f"m.yaml:7: {message}")


def test_every_missing_variable_of_a_text_is_named() -> None:
    assert len(expanded("${NONE} ${NEVER}")[1]) == 2


def test_keys_and_values_other_than_texts_are_not_expanded() -> None:
    values = {"${HOME}": 1, "a": [True, None, "x", {"b": "y"}]}
    assert list(strings_of(values, ())) == [(("a", 2), "x"), (("a", 3, "b"), "y")]
    assert list(expand(values, {}, "m.yaml", ENVIRONMENT)) == []
    assert "${HOME}" in values


def test_the_place_of_a_value_without_one_is_that_of_what_is_around_it() -> None:
    places = {("a",): Place("m.yaml", 1), ("a", "b"): Place("m.yaml", 2)}
    assert place_of(places, ("a", "b", "c", "d"), "m.yaml") == Place("m.yaml", 2)
    assert place_of(places, ("a", "x"), "m.yaml") == Place("m.yaml", 1)
    assert place_of(places, ("x",), "m.yaml") == Place("m.yaml")
    assert place_of({(): Place("m.yaml", 3)}, ("x",), "m.yaml") == Place("m.yaml", 3)
