"""Reading YAML: what is understood, where it stands, and what is refused."""

from pathlib import Path

import pytest

from pipeline.errors import ManifestError
from pipeline.yaml_lines import MAX_BYTES, parse_yaml, read_yaml

BOMB = "a0: &a0 [1, 1]\n" + "\n".join(f"a{i}: &a{i} [{f'*a{i - 1}, ' * 9}]" for i in range(1, 9))


def test_values_follow_the_core_rules() -> None:
    text = """
whole: 3
real: 1e-3
half: .5
no: no
day: 2024-01-01
quoted: '5'
empty:
yes_or_no: true
clock: 1:30
"""
    assert parse_yaml(text, "m.yaml").value == {
        "whole": 3,
        "real": 0.001,
        "half": 0.5,
        "no": "no",
        "day": "2024-01-01",
        "quoted": "5",
        "empty": None,
        "yes_or_no": True,
        "clock": "1:30",
    }


def test_every_key_and_item_has_its_line() -> None:
    places = parse_yaml("a: {b: 1,\n    c: 2}\nd:\n  - x\n  - e: y\n", "m.yaml").places
    lines = {path: place.line for path, place in places.items()}
    assert lines == {
        (): 1,
        ("a",): 1,
        ("a", "b"): 1,
        ("a", "c"): 2,
        ("d",): 3,
        ("d", 0): 4,
        ("d", 1): 5,
        ("d", 1, "e"): 5,
    }


def test_references_need_quotes_only_between_braces_and_brackets() -> None:
    assert parse_yaml("a: ${ROOT:-x}/y\nb: {c: '${B}/c', d: [\"${D}\"]}\n", "m.yaml").value == {
        "a": "${ROOT:-x}/y",
        "b": {"c": "${B}/c", "d": ["${D}"]},
    }


def test_aliases_are_copied_out() -> None:
    assert parse_yaml("a: &x [1, 2]\nb: *x\n", "m.yaml").value == {"a": [1, 2], "b": [1, 2]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a:\n  b: {c: ${C}}\n", 'm.yaml:2: a ${…} between braces or brackets must be quoted: "${NAME}"'),
        ("a: [${A}, 1]\n", 'm.yaml:1: a ${…} between braces or brackets must be quoted: "${NAME}"'),
        ("a:\n\t- 1\n", "m.yaml:2: a tab where spaces are expected; indent with spaces"),
        ("a: 1\nb: 2\na: 3\n", "m.yaml:3: key 'a' is given twice (first on line 1)"),
        ("a:\n  1: 2\n", "m.yaml:2: a key must be text, not '1'; put it in quotes"),
        ("? [a]\n: 3\n", "m.yaml:1: a key must be text, not a list or mapping; put it in quotes"),
        ("<<: {a: 1}\n", "m.yaml:1: merge keys ('<<') are not supported; use 'extends'"),
        (
            "a: !!python/object/apply:os.system ['true']\n",
            "m.yaml:1: tag !!python/object/apply:os.system is not allowed; manifests contain only plain values",
        ),
        ("a: !!binary aGk=\n", "m.yaml:1: tag !!binary is not allowed; manifests contain only plain values"),
        ("a: " + "[" * 500 + "]" * 500, "m.yaml:1: nested deeper than 30 levels"),
        ("a: &x [*x]\n", "m.yaml:1: aliases expand to too many values; write the values out"),
        (BOMB, "m.yaml:1: aliases expand to too many values; write the values out"),
        (
            "a: b: c\n",
            "m.yaml:1: a ':' where none is allowed; check the indentation, and quote texts that contain ': '",
        ),
        ("a: *x\n", "m.yaml:1: found undefined alias 'x'"),
        ("a: 1\n---\nb: 2\n", "m.yaml:2: contains several documents ('---'); a manifest is a single one"),
        ("a: 1\nb: \x00\n", "m.yaml:2: contains a control character (code 0)"),
        ("a:\n  b: [1, 2\n", "m.yaml:2: is not valid YAML: expected ',' or ']', but got '<stream end>'"),
    ],
)
def test_refused(text: str, message: str) -> None:
    with pytest.raises(ManifestError) as error:
        parse_yaml(text, "m.yaml")
    assert str(error.value).startswith(message)


def test_wrong_files(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_bytes("a: 1\nb: \u00fc\n".encode("latin-1"))
    with pytest.raises(ManifestError, match=r"^m:2: is not UTF-8 text; save the file in UTF-8$"):
        read_yaml(path, "m")
    path.write_bytes("a: 1\n".encode("utf-16"))
    with pytest.raises(ManifestError, match=r"^m:1: is not UTF-8 text"):
        read_yaml(path, "m")
    path.write_bytes(b"#" * (MAX_BYTES + 1))
    with pytest.raises(ManifestError, match=r"^m: is larger than 500 kB"):
        read_yaml(path, "m")
    with pytest.raises(ManifestError, match=r"^m: is a folder, not a file$"):
        read_yaml(tmp_path, "m")
    with pytest.raises(ManifestError, match=r"^m: cannot be read: No such file or directory$"):
        read_yaml(tmp_path / "none.yaml", "m")


def test_utf8_with_a_byte_order_mark_is_read(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1\n")
    assert read_yaml(path, "m").value == {"a": 1}
