"""Labels and boundaries of segments, corrected on the page by those who label video, in chromium."""

from recognition_pages import current, exported, segment, video


def rows(page):
    """The exported list: label, start and end."""
    lines = exported(page).read_text(encoding="utf-8-sig").splitlines()[1:]
    return [tuple(line.replace('"', "").split(",")[1:]) for line in lines]


def test_none_says_what_it_nearly_was_and_a_key_accepts_it(visit):
    page = visit([video("a.mp4", [segment(0, 2, None, 0.314, nearest="wave"), segment(2, 4, "sit", 0.8)])])
    assert current(page) == "none, perhaps wave 31 %"
    assert page.evaluate("segments.map(laneText)") == ["wave?", "sit"]
    assert page.inner_text("#accept") == "A It is wave"
    page.keyboard.press("a")
    assert current(page) == "sit" and page.is_hidden("#accept"), "what has a label has no suggestion"
    page.keyboard.press("a")
    assert current(page) == "sit"
    assert rows(page) == [("wave", "0", "2")]
    page.keyboard.press("k")
    assert current(page) == "none, perhaps wave 31 % → wave"
    page.keyboard.press("u")
    page.click("#accept")
    assert rows(page) == [("wave", "0", "2")]
    page.click("#tab-segments")
    assert page.inner_text("#segments [role=option] .label").replace("\n", " ") == "none, perhaps wave 31 % → wave"
