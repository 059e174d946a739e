"""ELAN: an annotation document for each video, below ``elan``, linked to the video (format 3.0).

A tier holds the actions of everybody or, where people were told apart, of one person, and a dependent tier their
scores. The classes are a controlled vocabulary, so that a correction in ELAN is a choice from a list.
"""

import mimetypes
import os
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from pipeline.files import replace_file
from pipeline.stage import Row
from pipeline.texts import count as counted
from stages.places import url_of
from stages.recognitions.exported_files import Places, labeled, percent, plain, was_read

FOLDER = "elan"
SCHEMA = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"
MARK = " written by pipeline recognize, which replaces this file until another program saves it "
"""A comment, which ELAN drops. A document without it holds somebody's work."""
DATE = re.compile(rb' DATE="[^"]*"')
ACTIONS, SCORES = "actions", "scores"
"""The kinds of tiers."""
LANGUAGE = "und"
CONSTRAINT = "Symbolic_Association"
ANY_VIDEO = "video/*"


def write_elan(videos: Sequence[Row], places: Places, model: str) -> str | None:
    """Write ``elan/VIDEO.eaf`` for each row of RECOGNITIONS that was read, unless somebody has worked on the file.
    Returns a line about those."""
    edited = 0
    for video in videos:
        path = places.beside(FOLDER, video, ".eaf")
        before = path.read_bytes() if path.exists() else None
        if before is not None and MARK.encode() not in before:
            edited += 1
            continue
        if not was_read(video):
            path.unlink(missing_ok=True)
            continue
        document = elan(video, places.video(video), path, model)
        if before is None or _undated(document) != _undated(before):
            replace_file(path, document)
    if not edited:
        return None
    kept = f"kept {counted(edited, 'document')} in {places.out / FOLDER} that another program has saved"
    return f"{kept}: one that you delete is written again"


def _undated(document: bytes) -> bytes:
    """A document without the time at which it was written."""
    return DATE.sub(b"", document, count=1)


def elan(row: Row, video: Path, document: Path, model: str) -> bytes:
    """The annotation document of a row of RECOGNITIONS.

    video: its absolute path. document: where the document will be, from which the video is linked, too.
    """
    root = Element("ANNOTATION_DOCUMENT", AUTHOR=plain(model), FORMAT="3.0", VERSION="3.0")
    root.set("DATE", datetime.now(UTC).isoformat(timespec="seconds"))
    root.set("xmlns:xsi", INSTANCE)
    root.set("xsi:noNamespaceSchemaLocation", SCHEMA)
    root.append(ElementTree.Comment(MARK))
    segments = labeled(row["segments"])
    header = SubElement(root, "HEADER", MEDIA_FILE="", TIME_UNITS="milliseconds")
    SubElement(header, "MEDIA_DESCRIPTOR", _media(video, document))
    SubElement(header, "PROPERTY", NAME="lastUsedAnnotationId").text = str(2 * len(segments))
    spans = _spans(segments)
    _add_times(root, spans)
    ids = count(1)
    for person in dict.fromkeys(segment["person"] for segment in segments) or [None]:
        _add_tiers(root, person, [span for span in spans if span.segment["person"] == person], row["class_names"], ids)
    SubElement(
        root, "LINGUISTIC_TYPE", LINGUISTIC_TYPE_ID=ACTIONS, TIME_ALIGNABLE="true", CONTROLLED_VOCABULARY_REF=ACTIONS
    )
    SubElement(root, "LINGUISTIC_TYPE", LINGUISTIC_TYPE_ID=SCORES, TIME_ALIGNABLE="false", CONSTRAINTS=CONSTRAINT)
    SubElement(root, "LANGUAGE", LANG_ID=LANGUAGE, LANG_LABEL="undetermined (und)")
    SubElement(root, "CONSTRAINT", STEREOTYPE=CONSTRAINT, DESCRIPTION="1-1 association with a parent annotation")
    _add_vocabulary(root, row["class_names"])
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n"


class _Span(NamedTuple):
    """A segment, and the numbers of its time slots."""

    segment: Row
    start: int
    """Milliseconds."""
    end: int
    slots: tuple[int, int]


def _spans(segments: Sequence[Row]) -> list[_Span]:
    """The segments with slots of their own, which are numbered in order of time."""
    times = [(round(1000 * segment["start"]), round(1000 * segment["end"])) for segment in segments]
    times = [(start, max(end, start + 1)) for start, end in times]
    edges = sorted((time, place, i) for i, span in enumerate(times) for place, time in enumerate(span))
    number = {(i, place): slot for slot, (_, place, i) in enumerate(edges, 1)}
    return [_Span(segment, *times[i], (number[i, 0], number[i, 1])) for i, segment in enumerate(segments)]


def _add_times(root: Element, spans: Sequence[_Span]) -> None:
    order = SubElement(root, "TIME_ORDER")
    slots = {slot: time for span in spans for slot, time in zip(span.slots, span[1:3], strict=True)}
    for slot, time in sorted(slots.items()):
        SubElement(order, "TIME_SLOT", TIME_SLOT_ID=f"ts{slot}", TIME_VALUE=str(time))


def _add_tiers(
    root: Element, person: int | None, spans: Sequence[_Span], names: Sequence[str], ids: "count[int]"
) -> None:
    """A tier with what a person, or everybody, does, and one with the scores."""
    tier = "everybody" if person is None else f"person {person}"
    actions = SubElement(root, "TIER", TIER_ID=tier, LINGUISTIC_TYPE_REF=ACTIONS, PARTICIPANT=tier)
    scores = SubElement(root, "TIER", TIER_ID=f"{tier}, score", LINGUISTIC_TYPE_REF=SCORES, PARENT_REF=tier)
    for span in spans:
        action, score = f"a{next(ids)}", f"a{next(ids)}"
        aligned = SubElement(
            SubElement(actions, "ANNOTATION"),
            "ALIGNABLE_ANNOTATION",
            ANNOTATION_ID=action,
            CVE_REF=_entry(names.index(span.segment["label"])),
            TIME_SLOT_REF1=f"ts{span.slots[0]}",
            TIME_SLOT_REF2=f"ts{span.slots[1]}",
        )
        SubElement(aligned, "ANNOTATION_VALUE").text = plain(span.segment["label"])
        dependent = SubElement(
            SubElement(scores, "ANNOTATION"), "REF_ANNOTATION", ANNOTATION_ID=score, ANNOTATION_REF=action
        )
        SubElement(dependent, "ANNOTATION_VALUE").text = percent(span.segment["score"])


def _entry(number: int) -> str:
    return f"cveid{number}"


def _add_vocabulary(root: Element, names: Sequence[str]) -> None:
    vocabulary = SubElement(root, "CONTROLLED_VOCABULARY", CV_ID=ACTIONS)
    SubElement(vocabulary, "DESCRIPTION", LANG_REF=LANGUAGE)
    for number, name in enumerate(names):
        entry = SubElement(vocabulary, "CV_ENTRY_ML", CVE_ID=_entry(number))
        SubElement(entry, "CVE_VALUE", LANG_REF=LANGUAGE, DESCRIPTION="").text = plain(name)


def _media(video: Path, document: Path) -> dict[str, str]:
    """The attributes of a link to the video. ELAN's URLs are plain paths, in which nothing is encoded."""
    kind = {"MIME_TYPE": mimetypes.guess_type(video.name)[0] or ANY_VIDEO}
    if (url := url_of(video)) is not None:
        return {"MEDIA_URL": plain(url), **kind}
    relative = Path(os.path.relpath(video, document.absolute().parent)).as_posix()
    return {
        "MEDIA_URL": f"file:///{plain(video.as_posix().removeprefix('/'))}",
        "RELATIVE_MEDIA_URL": plain(relative if relative.startswith("../") else f"./{relative}"),
        **kind,
    }
