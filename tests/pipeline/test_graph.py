"""The graph: tables find their stages, matrices multiply, and wrong relations are named."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from pipeline.errors import ManifestError
from pipeline.graph import Graph, VariantNodes, build_graph
from pipeline.manifest import load_manifest

STAGES = """\
stages:
  index: {uses: "toy_stages:Numbers"}
  double: {uses: "toy_stages:Double", needs: index}
  add: {uses: "toy_stages:Add", needs: double}
  total: {uses: "toy_stages:Total", needs: [add]}
  share: {uses: "toy_stages:Share", needs: [add, total]}
  summary: {uses: "toy_stages:Summary", needs: [total, share]}
"""


def build(text: str = STAGES, overrides: Sequence[str] = ()) -> Graph:
    Path("m.yaml").write_text(text)
    return build_graph(load_manifest("m.yaml", overrides, {}))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_tables_find_their_stages() -> None:
    graph = build()
    assert list(graph.nodes) == ["index", "double", "add", "total", "share", "summary"]
    assert [node.kind for node in graph.nodes.values()] == ["source", "map", "map", "whole", "map", "whole"]
    assert {node.source for node in graph.nodes.values()} == {"index"}
    assert graph.nodes["double"].inputs == {}
    assert graph.nodes["share"].inputs == {"sums": ("add",), "totals": ("total",)}
    assert graph.nodes["total"].variants == (VariantNodes("", "index", {"sums": "add"}, {}),)
    assert graph.ancestors("total") == {"index", "double", "add"}
    assert graph.descendants("add") == {"total", "share", "summary"}


def test_the_order_of_the_file_does_not_matter() -> None:
    head, *lines = STAGES.splitlines()
    assert list(build("\n".join([head, *reversed(lines)])).nodes) == list(build().nodes)


def test_a_matrix_multiplies_what_follows_up_to_a_gathering_stage() -> None:
    graph = build(
        STAGES.replace("needs: [add]}", "needs: [add], matrix: {scale: [1, 2], split: {all: {split: null}}}}")
    )
    assert list(graph.nodes) == [
        "index",
        "double",
        "add",
        "total[scale=1,split=all]",
        "total[scale=2,split=all]",
        "share[scale=1,split=all]",
        "share[scale=2,split=all]",
        "summary",
    ]
    share = graph.nodes["share[scale=2,split=all]"]
    assert share.inputs == {"sums": ("add",), "totals": ("total[scale=2,split=all]",)}
    assert (share.spec, share.variant_name, share.labels) == (
        "share",
        "scale=2,split=all",
        {"scale": 2, "split": "all"},
    )
    assert graph.nodes["total[scale=2,split=all]"].stage.model_dump()["scale"] == 2
    summary = graph.nodes["summary"]
    assert summary.variant_name == ""
    assert summary.variants == tuple(
        VariantNodes(
            name, "index", {"totals": f"total[{name}]", "shares": f"share[{name}]"}, {"scale": scale, "split": "all"}
        )
        for scale, name in ((1, "scale=1,split=all"), (2, "scale=2,split=all"))
    )


def test_variants_that_share_an_axis_agree() -> None:
    graph = build(
        STAGES.replace("needs: double}", "needs: double, matrix: {amount: [1, 2]}}").replace(
            "needs: [add, total]}", "needs: [add, total], matrix: {split: [train, test]}}"
        )
    )
    shares = [node for node in graph.nodes.values() if node.spec == "share"]
    assert [share.name for share in shares] == [
        f"share[amount={amount},split={split}]" for amount in (1, 2) for split in ("train", "test")
    ]
    assert shares[2].inputs == {"sums": ("add[amount=2]",), "totals": ("total[amount=2]",)}


def test_each_variant_may_have_its_own_source() -> None:
    graph = build(STAGES.replace('Numbers"}', 'Numbers", matrix: {count: [3, 4]}}'))
    assert [variant.source for variant in graph.nodes["summary"].variants] == ["index[count=3]", "index[count=4]"]
    assert graph.nodes["double[count=4]"].source == "index[count=4]"


def test_a_whole_stage_may_stand_alone() -> None:
    Path("stand_alone.py").write_text("import toy_stages\n\n\nclass Alone(toy_stages.Total):\n    takes = ()\n")
    graph = build("stages:\n  alone: {uses: 'stand_alone:Alone'}\n")
    assert graph.nodes["alone"].variants == (VariantNodes("", "", {}, {}),)
    assert graph.nodes["alone"].source == ""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "needs: [add]}",
            "needs: [ad]}",
            "m.yaml:5: stage 'total' needs 'ad', but no stage is called that; did you mean 'add'?",
        ),
        ("needs: [add]}", "needs: [add, add]}", "m.yaml:5: stage 'total' needs 'add' twice"),
        (
            "needs: index}",
            "needs: share}",
            "m.yaml:3: stages need each other in a circle: double → share → add → double",
        ),
        (
            "needs: [add]}",
            "needs: [double]}",
            "m.yaml:5: stage 'total' needs a stage that makes 'sums'; add 'add' to its needs",
        ),
        (
            "needs: [add, total]}",
            "needs: [add, double, total]}",
            "m.yaml:6: stage 'share' does not take 'doubles', which 'double' makes; it takes sums, totals",
        ),
        (
            'Numbers"}',
            'Numbers", needs: double}',
            "m.yaml:2: stages need each other in a circle: index → double → index",
        ),
        ("needs: index}", "needs: []}", "m.yaml:3: stage 'double' gets no clips, because no source is upstream"),
        (
            "needs: [add, total]}",
            'needs: [add, total]}\n  again: {uses: "toy_stages:Numbers", needs: add}',
            "m.yaml:7: stage 'again' is a source, which needs no other stage; leave its needs out",
        ),
        (
            "needs: [add, total]}",
            'needs: [add, total]}\n  more: {uses: "toy_stages:Add", needs: double}\n'
            '  third: {uses: "toy_stages:Total", needs: [add, more]}',
            "m.yaml:8: stage 'third' needs 'add' and 'more', which both make 'sums'",
        ),
        (
            "needs: double}",
            'needs: [double, other]}\n  other: {uses: "toy_stages:Numbers"}',
            "m.yaml:4: stage 'add' has two sources, index and other; clips must come from one",
        ),
        (
            "needs: double}",
            "needs: double}\n  pose: {needs: index}",
            "m.yaml:5: stage 'pose' needs a stage that makes 'frames' (such as 'decode')",
        ),
    ],
)
def test_wrong_relations(old: str, new: str, message: str) -> None:
    with pytest.raises(ManifestError) as error:
        build(STAGES.replace(old, new))
    [line] = str(error.value).splitlines()
    assert line.startswith(message)


def test_matrices_that_never_meet() -> None:
    text = STAGES.replace("needs: double}", "needs: double, matrix: {amount: [1, 2]}}").replace(
        "needs: [add, total]}", "needs: [add, total], matrix: {amount: {x: {split: a}}}}"
    )
    with pytest.raises(ManifestError, match=r"^m.yaml:6: stage 'share' has no variant"):
        build(text)


def test_drawings() -> None:
    graph = build(STAGES.replace("needs: [add]}", "needs: [add], matrix: {scale: [1, 2]}}"))
    assert (
        graph.text()
        == """\
index                   source  clips
  double                map     doubles      <- index
    add                 map     sums         <- double
      total[scale=1]    whole   totals       <- add
      total[scale=2]    whole   totals       <- add
        share[scale=1]  map     shares       <- add, total[scale=1]
        share[scale=2]  map     shares       <- add, total[scale=2]
          summary       whole   summaries    <- all 2 of total, all 2 of share"""
    )
    lines = graph.mermaid().splitlines()
    assert lines[0] == "flowchart LR"
    assert '    n0(["index"])' in lines
    assert '    n3[["total[scale=1]"]]' in lines
    assert "    n0 -->|clips| n1" in lines
