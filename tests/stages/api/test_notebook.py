"""Tables and time lines in notebooks, read as XML: whatever names are, they stay texts."""

from xml.etree import ElementTree

from stages.api.notebook import html_table, time_line

HOSTILE = '</title><script>alert("1")</script>&amp;'
SVG = "{http://www.w3.org/2000/svg}"


def test_a_table_of_texts() -> None:
    table = ElementTree.fromstring(html_table(["a", HOSTILE], [["1", "2"], [HOSTILE]]))
    rows = [[cell.text or "" for cell in row] for row in table]
    assert rows == [["a", HOSTILE], ["1", "2"], [HOSTILE, ""]]


def test_a_time_line_has_lanes_for_persons_and_colors_for_classes() -> None:
    def segment(start: float, end: float, label: str, person: int | None) -> dict[str, object]:
        return {"start": start, "end": end, "label": label, "score": 0.5, "person": person}

    given = [segment(10, 20, "a", 1), segment(10, 15, HOSTILE, 2), segment(20, 30, "none", 1)]
    image = ElementTree.fromstring(time_line(given, ["a", HOSTILE]))
    boxes = image.findall(f"{SVG}rect")
    places = [(float(box.attrib["x"]), float(box.attrib["width"]), float(box.attrib["y"])) for box in boxes]
    assert places == [(0, 450, 0), (0, 225, 22), (450, 450, 0)]
    assert len({box.attrib["style"] for box in boxes}) == 3
    about = [box[0].text for box in boxes]
    assert about[1] == f"person 2: {HOSTILE} 50.0 %, 10.0 to 15.0 s"
    assert [text.text for text in image.findall(f"{SVG}text")] == ["a", "none"], "only what fits its box"
    assert time_line([], ["a"]) == ""
