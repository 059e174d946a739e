"""Labels and boundaries of segments, corrected on the page by those who label video, in chromium."""

import json

import pytest
from recognition_pages import current, exported, segment, until, video, write_movie


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


def spans(page):
    """All segments of the page: label, start and end."""
    return [tuple(row) for row in page.evaluate("segments.map((s) => [labelText(labelOf(s)), s.start, s.end])")]


def go_to(page, seconds):
    """Stop the player at a time, once it shows the chosen segment."""
    until(page, "document.getElementById('video').readyState > 1 && player.timeIn(chosen) !== undefined")
    page.evaluate(f"document.getElementById('video').currentTime = {seconds}")
    until(page, f"player.timeIn(chosen) === {seconds}")


@pytest.fixture
def three(visit, tmp_path):
    """A video that plays: wave, sit and, after a gap, run."""
    write_movie(tmp_path / "in" / "a.mp4")
    return visit([video("a.mp4", [segment(0, 1, "wave", 0.9), segment(1, 2, "sit", 0.8), segment(3, 4, "run", 0.7)])])


def test_a_boundary_between_neighbors_moves_for_both(three):
    page = three
    go_to(page, 0.75)
    page.keyboard.press("o")
    assert spans(page) == [("wave", 0, 0.75), ("sit", 0.75, 2), ("run", 3, 4)]
    assert current(page) == "wave" and "0:00.0 – 0:00.8" in page.inner_text("#now")
    assert page.evaluate("player.timeIn(chosen)") == 0.75, "the player stays where it is"
    go_to(page, 1.25)
    page.keyboard.press("]")
    assert spans(page) == [("wave", 0, 1.25), ("sit", 1.25, 2), ("run", 3, 4)]
    page.keyboard.press("j")
    go_to(page, 1.5)
    page.click("#start")
    assert spans(page) == [("wave", 0, 1.5), ("sit", 1.5, 2), ("run", 3, 4)]
    go_to(page, 0.5)
    page.keyboard.press("[")
    assert spans(page) == [("wave", 0, 0.5), ("sit", 0.5, 2), ("run", 3, 4)]
    go_to(page, 2.5)
    page.keyboard.press("o")
    page.keyboard.press("r")
    assert spans(page)[1:] == [("sit", 0.5, 2.5), ("run", 3, 4)], "into the gap"
    assert rows(page) == [("sit", "0.5", "2.5")]
    page.keyboard.press("k")
    page.keyboard.press("t")
    assert spans(page) == [("wave", 0, 1), ("sit", 1, 2), ("run", 3, 4)]
    assert page.is_hidden("#restore") and page.is_disabled("#export"), "what was said of the other span"


def test_what_nobody_takes_stays_as_it_was_recognized(three):
    page = three
    page.keyboard.press("j")
    go_to(page, 1.5)
    page.keyboard.press("r")
    page.keyboard.press("k")
    go_to(page, 1.5)
    page.keyboard.press("o")
    assert spans(page) == [("wave", 0, 1), ("sit", 1, 1.5), ("sit", 1.5, 2), ("run", 3, 4)]
    assert rows(page) == [("sit", "1", "1.5")], "the mark is that of the segment, not of what it has left"


def test_a_segment_takes_in_neighbors_that_it_covers(three):
    page = three
    page.keyboard.press("r")
    page.keyboard.press("w")
    page.keyboard.press("k")
    page.keyboard.press("k")
    go_to(page, 3.5)
    page.keyboard.press("o")
    assert spans(page) == [("wave", 0, 3.5), ("run", 3.5, 4)]
    assert rows(page) == [("wave", "0", "3.5")]
    page.keyboard.press("t")
    assert spans(page) == [("wave", 0, 1), ("sit", 1, 2), ("run", 3, 4)]


def test_boundaries_that_cannot_be(three):
    page = three
    page.keyboard.press("j")
    go_to(page, 0.5)
    page.keyboard.press("o")
    assert "To move the end of a segment" in page.inner_text("#kept")
    go_to(page, 2.5)
    page.keyboard.press("i")
    assert "To move the start of a segment" in page.inner_text("#kept")
    page.keyboard.press("j")
    page.keyboard.press("m")
    assert "Nothing follows" in page.inner_text("#kept")
    assert spans(page) == [("wave", 0, 1), ("sit", 1, 2), ("run", 3, 4)] and page.is_disabled("#undo")


def test_neighbors_are_joined_whatever_their_labels(visit):
    people = [segment(0, 2, "run", 0.8, 1), segment(0, 2, "wave", 0.7, 2), segment(2, 4, "sit", 0.6, 1)]
    page = visit([video("a.mp4", people)])
    page.keyboard.press("l")
    page.keyboard.type("jump")
    page.keyboard.press("Enter")
    page.keyboard.press("k")
    page.keyboard.press("m")
    assert spans(page) == [("jump", 0, 4), ("wave", 0, 2)], "person 2 is left as they are"
    assert current(page) == "run → jump" and rows(page) == [("jump", "0", "4")]
    page.keyboard.press("z")
    assert spans(page) == [("jump", 0, 2), ("wave", 0, 2), ("sit", 2, 4)]


def test_each_change_can_be_undone(three):
    page = three
    states = []
    for keys in ("r", "k", "o", "s", "m", "w", "k"):
        states.append((spans(page), page.inner_text("#now"), page.evaluate("JSON.stringify([...verdicts, ...claims])")))
        if keys in "os":
            go_to(page, {"o": 1.5, "s": 0.5}[keys])
        page.keyboard.press(keys)
    for before in [states[i] for i in (5, 4, 3, 2, 0)]:  # going to another segment is no change
        page.keyboard.press("z")
        now = (spans(page), page.inner_text("#now"), page.evaluate("JSON.stringify([...verdicts, ...claims])"))
        assert now == before
    assert page.is_disabled("#undo") and page.evaluate("Object.values(localStorage)") == ["{}", "{}"]
    page.keyboard.press("r")
    page.keyboard.press("Control+Shift+z")
    assert not page.is_disabled("#undo")
    page.keyboard.press("Control+z")
    assert page.is_disabled("#undo") and current(page) == "wave"


def keeping(browser, texts):
    """Let the browser have kept these texts of a page that is opened next: by what the name of a text ends with."""
    lines = [
        f"localStorage.setItem(`recognitions ${{location.pathname}}{end}`, {text!r})" for end, text in texts.items()
    ]
    browser.contexts[-1].add_init_script(";".join(lines))


def kept(page):
    """What it keeps, as ``keeping`` takes it."""
    items = page.evaluate("Object.entries(localStorage)")
    return {" splits" if name.endswith(" splits") else "": text for name, text in items}


def test_splits_that_an_earlier_page_has_kept(visit, browser):
    split = {json.dumps(["a.mp4", 0, 4, None, "wave"], separators=(",", ":")): [1.5, 3]}
    right = {json.dumps(["a.mp4", 1.5, 3, None, "wave"], separators=(",", ":")): {"verdict": "right"}}
    keeping(browser, {" splits": json.dumps(split), "": json.dumps(right)})
    page = visit([video("a.mp4", [segment(0, 4, "wave", 0.9)])])
    assert spans(page) == [("wave", 0, 1.5), ("wave", 1.5, 3), ("wave", 3, 4)]
    assert rows(page) == [("wave", "1.5", "3")]
    page.keyboard.press("t")
    assert spans(page) == [("wave", 0, 4)]


def test_boundaries_count_after_another_recognition_where_the_segment_is_the_same(visit, browser, tmp_path):
    write_movie(tmp_path / "in" / "a.mp4")
    page = visit([video("a.mp4", [segment(0, 1, "wave", 0.9), segment(1, 4, "sit", 0.8)])])
    go_to(page, 2)
    page.keyboard.press("o")
    page.keyboard.press("r")
    keeping(browser, kept(page))
    page = visit([video("a.mp4", [segment(0, 1, "wave", 0.9), segment(1, 3, "run", 0.8), segment(3, 4, "sit", 0.8)])])
    assert spans(page) == [("wave", 0, 2), ("run", 2, 3), ("sit", 3, 4)] and rows(page) == [("wave", "0", "2")]
    page = visit([video("a.mp4", [segment(0, 2, "run", 0.9), segment(2, 4, "sit", 0.8)])])
    assert spans(page) == [("run", 0, 2), ("sit", 2, 4)] and page.is_disabled("#export")


def test_a_mark_among_ten_thousand_segments_makes_little_anew(visit):
    found = [segment(i, i + 1, ("wave", "sit", "run")[i % 3], 0.5) for i in range(10_000)]
    page = visit([video("a.mp4", found)])
    page.click("#tab-segments")
    page.evaluate("""() => {
      for (const row of document.querySelectorAll("#segments [role=option]")) row.isOld = true;
      const draw = CanvasRenderingContext2D.prototype.fillRect;
      window.drawn = 0;
      CanvasRenderingContext2D.prototype.fillRect = function (...args) { window.drawn++; draw.apply(this, args); };
    }""")
    page.keyboard.press("r")
    until(page, "drawn > 0")
    made = page.evaluate("[...document.querySelectorAll('#segments [role=option]')].filter((row) => !row.isOld).length")
    assert made == 2, "the one that was marked, and the one that is chosen then"
    page.wait_for_timeout(200)
    assert page.evaluate("drawn") <= page.evaluate("document.querySelector('#own-lanes canvas').clientWidth")
    page.keyboard.press("m")
    assert spans(page)[:3] == [("wave", 0, 1), ("sit", 1, 3), ("wave", 3, 4)]
    assert page.inner_text("#matches") == "9 999 segments in 1 video"


def test_people_who_do_different_things_at_once_are_not_in_the_list(visit):
    page = visit(
        [
            video(
                "a.mp4",
                [
                    segment(0, 4, "sit", 0.9, person=1),
                    segment(1, 4.5, "run", 0.9, person=2),
                    segment(4.5, 6, "sit", 0.9, person=1),
                    segment(4.5, 7, "sit", 0.9, person=2),
                ],
            )
        ]
    )
    for _ in range(4):
        page.keyboard.press("r")
    assert rows(page) == [("sit", "4.5", "6"), ("sit", "4.5", "7")]
    assert "2 segments left out: people in the same span of time" in page.inner_text("#kept")
