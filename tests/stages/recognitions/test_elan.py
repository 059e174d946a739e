"""ELAN's documents, held against what its schema (EAFv3.0.xsd) demands."""

from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest

from stages.recognitions.elan import MARK, write_elan
from stages.recognitions.exported_files import Places

NAMES = ["sit", "fall", '<&>"]]>\n\x00\x0b--> ü', "日本"]
SEGMENTS = [
    (0, 1.5, 1, "sit", 0.834),
    (0, 2, 2, "fall", 1.0),
    (1.5, 2, 1, NAMES[2], 0.5),
    (2, 3, 2, None, 0.3),
    (2.0001, 2.0002, 1, NAMES[3], 0.25),
]
ORDER = ["HEADER", "TIME_ORDER", "TIER", "LINGUISTIC_TYPE", "LANGUAGE", "CONSTRAINT", "CONTROLLED_VOCABULARY"]
ATTRIBUTES = {
    "ANNOTATION_DOCUMENT": {"AUTHOR", "DATE", "FORMAT", "VERSION"},
    "HEADER": {"MEDIA_FILE", "TIME_UNITS"},
    "MEDIA_DESCRIPTOR": {"MEDIA_URL", "RELATIVE_MEDIA_URL", "MIME_TYPE"},
    "PROPERTY": {"NAME"},
    "TIME_SLOT": {"TIME_SLOT_ID", "TIME_VALUE"},
    "TIER": {"TIER_ID", "PARTICIPANT", "LINGUISTIC_TYPE_REF", "PARENT_REF"},
    "ALIGNABLE_ANNOTATION": {"ANNOTATION_ID", "CVE_REF", "TIME_SLOT_REF1", "TIME_SLOT_REF2"},
    "REF_ANNOTATION": {"ANNOTATION_ID", "ANNOTATION_REF"},
    "LINGUISTIC_TYPE": {"LINGUISTIC_TYPE_ID", "TIME_ALIGNABLE", "CONTROLLED_VOCABULARY_REF", "CONSTRAINTS"},
    "LANGUAGE": {"LANG_ID", "LANG_LABEL"},
    "CONSTRAINT": {"STEREOTYPE", "DESCRIPTION"},
    "CONTROLLED_VOCABULARY": {"CV_ID"},
    "DESCRIPTION": {"LANG_REF"},
    "CV_ENTRY_ML": {"CVE_ID"},
    "CVE_VALUE": {"LANG_REF", "DESCRIPTION"},
}


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return Places(tmp_path / "my videos", tmp_path / "out")


def document(places: Places, row: dict) -> ElementTree.Element:
    write_elan([row], places, "runs/mine")
    return ElementTree.parse(places.beside("elan", row, ".eaf")).getroot()


def ids(root: ElementTree.Element, path: str, attribute: str) -> list[str]:
    return [element.attrib[attribute] for element in root.iterfind(path)]


def check(root: ElementTree.Element) -> None:
    """The rules of the schema for what these documents have."""
    assert root.tag == "ANNOTATION_DOCUMENT" and root.attrib["FORMAT"] == "3.0"
    places = [ORDER.index(child.tag) for child in root]
    assert places == sorted(places) and set(places) == set(range(len(ORDER)))
    for element in root.iter():
        names = {name for name in element.attrib if not name.startswith("{")}
        assert names <= ATTRIBUTES.get(element.tag, set()), element.tag
    assert root.attrib["DATE"][10] == "T" and root.attrib["DATE"].endswith("+00:00")

    slots = {slot.attrib["TIME_SLOT_ID"]: int(slot.attrib["TIME_VALUE"]) for slot in root.iterfind("TIME_ORDER/*")}
    assert list(slots.values()) == sorted(slots.values())
    assert all(time >= 0 for time in slots.values())
    everything = [
        *ids(root, "TIME_ORDER/TIME_SLOT", "TIME_SLOT_ID"),
        *(id for path in ("ALIGNABLE", "REF") for id in ids(root, f".//{path}_ANNOTATION", "ANNOTATION_ID")),
        *ids(root, "LANGUAGE", "LANG_ID"),
        *ids(root, "CONSTRAINT", "STEREOTYPE"),
    ]
    assert len(everything) == len(set(everything)), "xsd:ID is unique in a document"
    assert all(id[0].isalpha() for id in everything), "and begins with a letter"

    tiers = ids(root, "TIER", "TIER_ID")
    assert len(tiers) == len(set(tiers))
    assert set(ids(root, "TIER", "LINGUISTIC_TYPE_REF")) <= set(ids(root, "LINGUISTIC_TYPE", "LINGUISTIC_TYPE_ID"))
    vocabularies = ids(root, "CONTROLLED_VOCABULARY", "CV_ID")
    entries = ids(root, "CONTROLLED_VOCABULARY/CV_ENTRY_ML", "CVE_ID")
    assert len(entries) == len(set(entries))
    kinds = {kind.attrib["LINGUISTIC_TYPE_ID"]: kind.attrib for kind in root.iterfind("LINGUISTIC_TYPE")}
    for kind in kinds.values():
        assert kind.get("CONTROLLED_VOCABULARY_REF", vocabularies[0]) in vocabularies
        assert kind.get("CONSTRAINTS", "Symbolic_Association") in ids(root, "CONSTRAINT", "STEREOTYPE")
    assert {value.attrib["LANG_REF"] for value in root.iter("CVE_VALUE")} <= set(ids(root, "LANGUAGE", "LANG_ID"))

    for tier in root.iterfind("TIER"):
        assert all(len(annotation) == 1 for annotation in tier)
        parent = tier.get("PARENT_REF")
        if parent is None:
            assert kinds[tier.attrib["LINGUISTIC_TYPE_REF"]]["TIME_ALIGNABLE"] == "true"
            found = [annotation.find("ALIGNABLE_ANNOTATION") for annotation in tier]
            spans = [(slots[one.attrib["TIME_SLOT_REF1"]], slots[one.attrib["TIME_SLOT_REF2"]]) for one in found]
            assert all(start < end for start, end in spans)
            assert all(a[1] <= b[0] for a, b in pairwise(spans)), "nothing overlaps in a tier"
            values = dict(zip(entries, (value.text for value in root.iter("CVE_VALUE")), strict=True))
            assert all(values[one.attrib["CVE_REF"]] == one[0].text for one in found)
        else:
            assert tiers.index(parent) < tiers.index(tier.attrib["TIER_ID"])
            of = ids(root, f"TIER[@TIER_ID='{parent}']/ANNOTATION/ALIGNABLE_ANNOTATION", "ANNOTATION_ID")
            assert [annotation.find("REF_ANNOTATION").attrib["ANNOTATION_REF"] for annotation in tier] == of


def test_people_have_tiers_of_their_own(places: Places, video_row) -> None:
    root = document(places, video_row("sub/x y%20.mp4", SEGMENTS, NAMES))
    check(root)
    assert ids(root, "TIER", "TIER_ID") == ["person 1", "person 1, score", "person 2", "person 2, score"]
    values = [[value.text for value in tier.iter("ANNOTATION_VALUE")] for tier in root.iterfind("TIER")]
    assert values == [["sit", '<&>"]]> --> ü', "日本"], ["83 %", "50 %", "25 %"], ["fall"], ["100 %"]]
    assert [int(time) for time in ids(root, "TIME_ORDER/*", "TIME_VALUE")] == [0, 0, 1500, 1500, 2000, 2000, 2000, 2001]
    assert root.findtext("HEADER/PROPERTY") == "8"


def test_the_video_is_found_by_either_path(places: Places, video_row) -> None:
    video = places.videos / "sub/x y%20.mp4"
    video.parent.mkdir(parents=True)
    video.touch()
    root = document(places, video_row("sub/x y%20.mp4", SEGMENTS, NAMES))
    media = root.find("HEADER/MEDIA_DESCRIPTOR").attrib
    assert media["MEDIA_URL"] == f"file://{video}" and media["MEDIA_URL"].startswith("file:///")
    assert media["RELATIVE_MEDIA_URL"].startswith("../")
    assert (places.out / "elan/sub" / media["RELATIVE_MEDIA_URL"]).resolve() == video.resolve()
    assert media["MIME_TYPE"] == "video/mp4"
    inside = document(Places(places.out / "elan", places.out), video_row("y.strange", SEGMENTS, NAMES))
    media = inside.find("HEADER/MEDIA_DESCRIPTOR").attrib
    assert (media["RELATIVE_MEDIA_URL"], media["MIME_TYPE"]) == ("./y.strange", "video/*")


@pytest.mark.parametrize("segments", [[], [(0, 1, None, None, 0.1)], [(0, 1, None, "sit", 0.1)]])
def test_everybody_at_once(places: Places, video_row, segments: list) -> None:
    root = document(places, video_row("x.avi", segments, NAMES))
    check(root)
    assert ids(root, "TIER", "TIER_ID") == ["everybody", "everybody, score"]


def test_what_somebody_has_saved_stays(places: Places, video_row) -> None:
    row = video_row("x.mp4", SEGMENTS, NAMES)
    first = document(places, row)
    row["segments"].pop()
    assert len(list(document(places, row).iter("ANNOTATION"))) == len(list(first.iter("ANNOTATION"))) - 2
    file = places.beside("elan", row, ".eaf")
    saved = file.read_text(encoding="utf-8").replace(f"<!--{MARK}-->", "")
    file.write_text(saved, encoding="utf-8")
    line = write_elan([video_row("x.mp4", [], NAMES), video_row("y.mp4", [], NAMES)], places, "runs/mine")
    assert line == (
        f"kept 1 document in {places.out / 'elan'} that another program has saved: one that you delete is written again"
    )
    assert write_elan([video_row("y.mp4", SEGMENTS, NAMES)], places, "runs/mine") is None
    assert file.read_text(encoding="utf-8") == saved
