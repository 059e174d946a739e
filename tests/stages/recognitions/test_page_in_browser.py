"""The page as people use it: Debian's chromium (`apt-get install chromium`) opens it as a file."""

import shutil
from pathlib import Path

import pytest
from recognition_pages import current, exported, segment, until, video, write_movie

from stages.recognitions.exported_files import Places
from stages.recognitions.page import write_page
from stages.sources.listing import Listing

HOSTILE = "<img src=x onerror=alert(1)></script><script>alert(2)</script>\"'&amp;"
RIGHT_TO_LEFT = "\u202egnorw\u202c تصفيق"


@pytest.fixture
def videos():
    """Two that play, one of which has numbered people, and one that failed."""
    one = [segment(0, 1, "wave", 0.9), segment(1, 2.5, "sit", 0.4), segment(2.5, 4, None, 0.2)]
    people = [segment(0, 2, "run", 0.8, 1), segment(0, 2, "sit", 0.7, 2), segment(2, 4, "run", 0.6, 1)]
    return [video("a b#1.mp4", one), video("broken.mp4", [], "moov atom not found"), video("sub/é.mp4", people)]


def loaded_again(page):
    """Load the page again with what it has stored, which a busy browser without a profile may lose by itself."""
    stored = page.evaluate("JSON.stringify(localStorage)")
    page.add_init_script(f"for (const [key, text] of Object.entries({stored})) localStorage.setItem(key, text)")
    page.reload()


def options(page):
    return [row.inner_text().split("\n")[0] for row in page.query_selector_all("#segments [role=option]")]


def time_of(page):
    return page.evaluate("document.getElementById('video').currentTime")


def test_what_is_shown(visit, videos):
    page = visit(videos, "my videos")
    assert page.inner_text("h1") == "my videos"
    assert page.inner_text("#facts") == "3 videos · 8.0 s · 6 segments"
    names = [name.inner_text() for name in page.query_selector_all("#videos .name")]
    assert names == ["a b#1.mp4", "broken.mp4", "sub/é.mp4"]
    page.click("#tab-segments")
    assert options(page) == ["wave", "sit", "none", "run", "sit", "run"]
    assert page.query_selector("#segments img").evaluate("image => image.naturalWidth") == 96
    page.click("#tab-failed")
    assert "moov atom not found" in page.inner_text("#failed")


def test_filters_and_orders(visit, videos):
    page = visit(videos)
    page.click("#tab-segments")
    page.click(".chip:has-text('sit')")
    assert options(page) == ["sit", "sit"] and page.inner_text("#matches") == "2 of 6 segments in 2 videos"
    page.fill("#least", "50")
    assert options(page) == ["sit"]
    page.click("#reset")
    page.fill("#file", "SUB/")
    assert options(page) == ["run", "sit", "run"]
    page.click("#tab-videos")
    assert [name.inner_text() for name in page.query_selector_all("#videos .name")] == ["sub/é.mp4"]
    page.fill("#file", "nothing like it")
    assert page.inner_text("#empty") == "No segment is like that."
    page.click("#reset")
    page.click("#tab-segments")
    page.select_option("#sort", "low")
    assert options(page) == ["none", "sit", "run", "sit", "run", "wave"]
    page.select_option("#sort", "label")
    assert options(page) == ["none", "run", "run", "sit", "sit", "wave"]


def test_sums(visit, videos):
    page = visit(videos)
    page.click("#tab-sums")
    table = [row.inner_text().split() for row in page.query_selector_all("#sums tbody tr")]
    assert sorted(row[0] for row in table) == ["none", "run", "sit", "wave"]
    assert next(row for row in table if row[0] == "sit") == ["sit", "3.5", "s", "35", "%", "2", "2"]
    rows = [row.inner_text().split("\n") for row in page.query_selector_all("#sums .rows [role=row]")]
    assert ["sub/é.mp4", "run", "1", "2", "4.0 s", "0:00.0", "0:04.0"] in rows
    assert len(rows) == 5


def test_a_click_plays_the_segment_and_stops_at_its_end(visit, videos, tmp_path):
    write_movie(tmp_path / "in" / "a b#1.mp4")
    write_movie(tmp_path / "in" / "sub" / "é.mp4")
    page = visit(videos)
    lanes = page.query_selector("#videos .lanes")
    box = lanes.bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.3, box["y"] + 10)  # at 1.2 s of 4
    assert current(page) == "sit"
    until(page, "document.getElementById('video').currentTime > 1.2")
    until(page, "document.getElementById('video').paused")
    assert 2.4 < time_of(page) < 3.5
    page.click("#tab-segments")
    page.click("#segments [role=option]:nth-of-type(6)")
    until(page, "document.getElementById('video').currentTime > 2.2")
    assert "in/sub/" in page.evaluate("document.getElementById('video').currentSrc")
    assert page.evaluate("document.getElementById('video').videoWidth") == 96


def test_a_preview_is_played_where_there_is_one(visit, tmp_path):
    source, preview = tmp_path / "in" / "old.avi", tmp_path / "out" / "previews" / "old.avi.mp4"
    source.parent.mkdir()
    source.write_bytes(b"RIFF of a format that no browser knows")
    write_movie(preview)
    shutil.copystat(source, preview)
    page = visit([video("old.avi", [segment(1, 3, "wave", 0.9)])])
    page.keyboard.press("p")
    until(page, "document.getElementById('video').currentTime > 1.1")
    assert page.is_hidden("#trouble")


def test_what_cannot_be_played_says_so(visit, videos):
    page = visit(videos[:1])
    page.wait_for_selector("#trouble:not([hidden])")
    assert "recognize --previews" in page.inner_text("#trouble")


def test_keys(visit, videos):
    page = visit(videos)
    page.click("#tab-segments")
    page.keyboard.press("j")
    assert current(page) == "sit"
    page.keyboard.press("ArrowUp")
    page.keyboard.press("k")
    assert current(page) == "wave", "the first one stays"
    page.keyboard.press("r")
    assert current(page) == "sit", "goes on"
    page.keyboard.press("w")
    page.keyboard.press("k")
    assert current(page) == "sit ✗ wrong, left out of the export"
    assert page.get_attribute("#wrong", "aria-pressed") == "true"
    page.keyboard.press("u")
    assert current(page) == "sit" and page.get_attribute("#wrong", "aria-pressed") == "false"
    page.keyboard.press("l")
    page.keyboard.type("jrw")  # no keys of the page while a label is typed
    page.keyboard.press("Enter")
    page.keyboard.press("k")
    assert current(page) == "sit → jrw"
    page.focus("#tab-segments")
    page.keyboard.press("ArrowRight")
    assert page.get_attribute("#tab-sums", "aria-selected") == "true"
    page.click("#options summary")
    page.uncheck("#keys")
    page.keyboard.press("j")
    assert current(page) == "sit → jrw"


def test_keys_work_where_people_look_for_a_time(visit, videos, tmp_path):
    write_movie(tmp_path / "in" / "a b#1.mp4")
    page = visit(videos)
    until(page, """document.getElementById("video").readyState > 1""")
    page.focus("#video")
    page.keyboard.press("j")
    assert current(page) == "sit"
    page.focus("#tab-segments")
    page.keyboard.press("Tab")
    page.evaluate("document.activeElement.blur()")
    until(page, """document.getElementById("video").currentTime === 1""")
    page.keyboard.press("ArrowRight")
    until(page, """document.getElementById("video").currentTime === 1.5""")
    page.keyboard.press(".")
    page.keyboard.press("s")
    assert "0:01.0 – 0:01.5" in page.inner_text("#now")
    page.fill("#file", "x")
    page.focus("#file")
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.id") != "file"


def test_what_was_corrected_is_seen_everywhere(visit, tmp_path):
    def videos(*labels):
        return [video("a.mp4", [segment(i, i + 1.0, label, 0.9) for i, label in enumerate(labels)])]

    page = visit(videos("wave", "sit", "sit"))
    assert chips(page) == ["sit 2", "wave 1"]
    page.keyboard.press("l")
    page.keyboard.type("weave")
    page.keyboard.press("Enter")
    page.keyboard.press("w")
    page.click("#tab-sums")
    assert chips(page) == ["sit 2", "weave 1"]
    assert page.locator("#sums tbody th").all_inner_texts() == ["sit", "weave"]
    assert "New classes: weave (1)." in page.inner_text("#kept")
    names = page.evaluate("segments.map(laneText)")
    assert names == ["→ weave", "✗ sit", "sit"]
    write_page(videos("sit", "sit", "sit"), Places(tmp_path / "in", tmp_path / "out"), "mine")
    loaded_again(page)
    assert "1 mark of an earlier recognition fits no segment of this one." in page.inner_text("#kept")


def chips(page):
    return [" ".join(text.split()) for text in page.locator("#chips button").all_inner_texts()]


def test_corrections_train_the_next_model(visit, videos, tmp_path):
    write_movie(tmp_path / "in" / "a b#1.mp4")
    write_movie(tmp_path / "in" / "sub" / "é.mp4")
    page = visit(videos)
    for keys in ("r", "w"):
        page.keyboard.press(keys)
    page.keyboard.press("l")
    page.keyboard.type('say "hi", then')
    page.keyboard.press("Enter")
    page.keyboard.press("r")  # person 1 runs
    clips = Listing(list=exported(page), test_share=0).clips().to_pylist()
    assert [(Path(row["path"]).name, row["label"], row["start"], row["end"]) for row in clips] == [
        ("a b#1.mp4", "wave", 0.0, 1.0),
        ("a b#1.mp4", 'say "hi", then', 2.5, 4.0),
        ("é.mp4", "run", 0.0, 2.0),
    ]
    assert not any(row["source"] == "missing" for row in clips)

    page.keyboard.press("r")  # person 2 sits in the same time
    assert "people in the same span of time have different labels" in page.inner_text("#kept")
    loaded_again(page)
    assert page.inner_text("#kept").startswith("5 of 6 segments looked at; 2 rows to train with.")
    page.click("#tab-segments")
    page.select_option("#looked", "wrong")
    assert options(page) == ["sit", "none"]
    assert len(Listing(list=exported(page), test_share=0).clips()) == 2


def test_a_segment_whose_label_is_right_for_a_part_of_it_is_split(visit, videos, tmp_path):
    write_movie(tmp_path / "in" / "a b#1.mp4")
    write_movie(tmp_path / "in" / "sub" / "é.mp4")
    page = visit(videos)
    page.keyboard.press("j")
    assert current(page) == "sit"
    page.keyboard.press("s")
    assert "stop the player where its label ends" in page.inner_text("#kept"), "at its start there is nothing to split"
    until(
        page,
        """document.getElementById("video").readyState > 1 && document.getElementById("video").currentTime === 1""",
    )
    page.evaluate("""document.getElementById("video").currentTime = 1.75""")
    page.click("#split")
    assert "0:01.0 – 0:01.8" in page.inner_text("#now")
    page.keyboard.press("r")
    assert current(page) == "sit" and "0:01.8 – 0:02.5" in page.inner_text("#now"), "goes on to the other part"
    page.keyboard.press("l")
    page.keyboard.type("stand")
    page.keyboard.press("Enter")

    def rows():
        clips = Listing(list=exported(page), test_share=0).clips().to_pylist()
        return [(row["label"], row["start"], row["end"]) for row in clips]

    assert rows() == [("sit", 1.0, 1.75), ("stand", 1.75, 2.5)]
    loaded_again(page)
    assert page.inner_text("#kept").startswith("2 of 7 segments looked at")
    assert rows() == [("sit", 1.0, 1.75), ("stand", 1.75, 2.5)]
    page.keyboard.press("j")
    page.keyboard.press("t")
    assert current(page) == "sit" and not page.is_visible("#restore")
    assert page.is_disabled("#export"), "what was said of the parts is not said of the whole"


def test_a_verdict_is_about_the_label_that_was_judged(visit, tmp_path):
    def rewritten(*labels):
        rows = [segment(i, i + 1, label, 0.9) for i, label in enumerate(labels)]
        write_page([video("a.mp4", rows)], Places(tmp_path / "in", tmp_path / "out"), "mine")

    def rows(page):
        return [line.split(",")[1:] for line in exported(page).read_text(encoding="utf-8-sig").splitlines()[1:]]

    page = visit([video("a.mp4", [segment(0, 1, "wave", 0.9), segment(1, 2, None, 0.9), segment(2, 3, "run", 0.9)])])
    for key in ("r", "w", "r"):
        page.keyboard.press(key)
    assert rows(page) == [['"wave"', "0", "1"], ['"run"', "2", "3"]]
    rewritten("sit", "wave", "run")
    loaded_again(page)
    assert page.inner_text("#kept").startswith("1 of 3 segments looked at; 1 row to train with.")
    assert current(page) == "sit" and rows(page) == [['"run"', "2", "3"]]
    page.keyboard.press("w")
    rewritten("wave", "wave", "run")
    loaded_again(page)
    assert current(page) == "wave ✓ right" and rows(page) == [['"wave"', "0", "1"], ['"run"', "2", "3"]]


def test_hostile_names_and_labels_are_texts(visit, tmp_path):
    names = [HOSTILE, RIGHT_TO_LEFT, "__proto__"]
    segments = [segment(i, i + 1, name, 0.5) for i, name in enumerate(names)]
    (tmp_path / "in").mkdir()
    page = visit([video(f"{HOSTILE}.mp4".replace("/", "-"), segments, HOSTILE, names)], HOSTILE)
    for tab in ("segments", "sums", "failed", "videos"):
        page.click(f"#tab-{tab}")
    page.keyboard.press("w")
    page.keyboard.press("l")
    page.keyboard.type(HOSTILE)
    page.keyboard.press("Enter")
    page.click("#tab-segments")
    assert options(page)[0] == HOSTILE and current(page) == "__proto__"
    assert page.inner_text("h1") == HOSTILE
    text = exported(page).read_text(encoding="utf-8-sig")
    assert HOSTILE.replace('"', '""') in text.splitlines()[1]
    page.wait_for_timeout(300)
    assert page.evaluate("document.scripts.length") == 2 and not page.query_selector("img[src=x]")


def test_ten_thousand_segments_scroll(visit):
    rows = [segment(i, i + 1, ("wave", "sit", "run")[i % 3], i % 97 / 97) for i in range(50)]
    page = visit([video(f"{i:03}.mp4", rows) for i in range(200)])
    assert len(page.query_selector_all("#videos .video")) < 40
    page.click("#tab-segments")
    made = page.evaluate("""async () => {
      const made = [];
      const watch = new MutationObserver(() => {});
      watch.observe(document.getElementById("segments"), { childList: true, subtree: true });
      for (let i = 0; i < 120; i++) {
        await new Promise(requestAnimationFrame);
        scrollBy(0, i < 60 ? 300 : 12000);
        dispatchEvent(new Event("scroll"));
        made.push(watch.takeRecords().reduce((sum, { addedNodes }) => sum + addedNodes.length, 0));
      }
      return made;
    }""")
    assert 0 < max(made) < 40, "no more rows than are seen are made for a step"
    assert 5 < len(options(page)) < 40
    page.keyboard.press("End")
    until(page, "document.querySelector('[aria-posinset=\"10000\"]')")
    page.select_option("#sort", "low")
    page.evaluate("scrollTo(0, 0)")
    until(page, "document.querySelector('[aria-posinset=\"1\"]')")
    scores = [int(text.split()[0]) for text in page.locator("#segments [role=option] .score").all_inner_texts()]
    assert scores == sorted(scores) and scores[0] == 0 and len(scores) < 40


def counting(page):
    """Count the segments that are drawn from now on."""
    page.evaluate("""() => {
      const draw = CanvasRenderingContext2D.prototype.roundRect;
      window.drawn = 0;
      CanvasRenderingContext2D.prototype.roundRect = function (...args) { window.drawn++; draw.apply(this, args); };
    }""")


def test_nothing_is_drawn_again_while_a_video_plays(visit, videos, tmp_path):
    write_movie(tmp_path / "in" / "sub" / "é.mp4")
    page = visit(videos[2:])
    page.keyboard.press("p")
    until(page, "document.getElementById('video').currentTime > 0.3")
    counting(page)
    marked = [page.query_selector("#own-lanes .mark").bounding_box()["x"]]
    until(page, "document.getElementById('video').currentTime > 1.2")
    marked.append(page.query_selector("#own-lanes .mark").bounding_box()["x"])
    until(page, "document.getElementById('video').paused")
    marked.append(page.query_selector("#own-lanes .mark").bounding_box()["x"])
    assert marked[0] < marked[1] < marked[2]
    box = page.query_selector("#own-lanes canvas").bounding_box()
    names = 22  # pixels
    expected = box["x"] + names + (box["width"] - names) * time_of(page) / 4
    assert marked[2] == pytest.approx(expected, abs=3)
    assert page.evaluate("drawn") == 0
    page.keyboard.press("j")
    until(page, "drawn >= 3")  # what is chosen is drawn


CROWD = 2000


def lanes_of_crowd(page):
    """Height of the canvas of the first video's time line, and the share of each lane that a segment covers."""
    return page.evaluate("""() => {
      const canvas = document.querySelector("#videos canvas");
      const [pen, track] = [canvas.getContext("2d"), getComputedStyle(canvas).getPropertyValue("--track")];
      const shares = [];
      for (let y = 9; y < canvas.height; y += 22) {
        const { data } = pen.getImageData(0, y, canvas.width, 1);
        let covered = 0;
        for (let x = 0; x < data.length; x += 4) {
          const isTrack = data[x] === 0xeb && data[x + 1] === 0xec && data[x + 2] === 0xef;
          if (data[x + 3] > 0 && !isTrack) covered++;
        }
        shares.push(covered / canvas.width);
      }
      return [canvas.height, shares];
    }""")


def test_two_thousand_people_one_after_the_other_share_lanes(visit):
    rows = [segment(i, i + 20, ("wave", "sit", "run")[i % 3], 0.5, i + 1, None) for i in range(CROWD)]
    page = visit([video("a.mp4", rows)])
    page.wait_for_timeout(200)
    height, shares = lanes_of_crowd(page)
    assert height == 20 * 22 and min(shares) > 0.5, "20 are there at the same time"
    assert "2 000 people" in page.inner_text("#videos .head") and not page.query_selector("#videos .note")
    box = page.query_selector("#videos .lanes").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 3 * 22 + 9)
    title = page.get_attribute("#videos .lanes", "title")
    page.mouse.down()
    page.mouse.up()
    said = page.inner_text("#now")
    person, label = title.split(",")[0].split(": ")
    assert f"person {person}" in said and said.startswith(label)
    middle = (CROWD + 19) / 2
    assert middle - 25 < int(person) < middle + 5
    chosen = current(page), page.inner_text("#now")
    page.keyboard.press("j")
    assert (current(page), page.inner_text("#now")) != chosen


def test_two_thousand_people_at_once_are_drawn_in_part_and_the_page_says_so(visit):
    rows = [segment(0, 4, "wave", 0.5, i + 1, None) for i in range(CROWD)]
    page = visit([video("a.mp4", rows), video("b.mp4", rows[:2])])
    page.wait_for_timeout(200)
    height, shares = lanes_of_crowd(page)
    assert height == 100 * 22 and min(shares) > 0.9
    said = "1 900 people are not drawn here, since more than 100 are there at once: see Segments."
    assert page.inner_text("#videos .note") == said
    page.click("#tab-segments")
    page.focus("#segments [role=listbox]")
    page.evaluate("choose(segments[1999])")
    assert "person 2000" in page.inner_text("#now")
