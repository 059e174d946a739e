"""What is said before a run is shown, and stays in the run's folder as long as it is true."""

from pipeline.events import Event
from pipeline.manifest import load_manifest
from pipeline.notes import read_notes
from pipeline.runs import Options, run
from toy_manifest import Toy


def remarkable(toy: Toy) -> Toy:
    toy.path.write_text(toy.path.read_text().replace("toy_stages:Double", "toy_stages:Remarkable"))
    return toy


def test_notes_are_shown_and_kept(toy: Toy) -> None:
    events: list[Event] = []
    manifest = load_manifest(remarkable(toy).path, ["double.remark=odd clips"])
    run(manifest, Options(executor="local"), [events.append])
    shown = [(event["stage"], event["text"]) for event in events if event["event"] == "noted"]
    assert shown == [("double", "odd clips"), ("double", "files: odd clips")]
    assert [tuple(note.values()) for note in read_notes(toy.run_folder)] == shown


def test_notes_of_what_is_done_are_kept_and_others_made_anew(toy: Toy) -> None:
    remarkable(toy).run("double.remark=odd clips")
    toy.run("double.remark=odd clips", "total.scale=2")
    assert [note["text"] for note in read_notes(toy.run_folder)] == ["odd clips", "files: odd clips"]
    toy.run("double.remark=even clips", "double.factor=5")
    assert [note["text"] for note in read_notes(toy.run_folder)] == ["even clips", "files: even clips"]
    toy.run("double.factor=6")
    assert read_notes(toy.run_folder) == []


def test_a_damaged_file_of_notes_is_written_again(toy: Toy) -> None:
    remarkable(toy).run()
    (toy.run_folder / "notes.json").write_text("[{")
    assert toy.run("double.remark=odd clips", "double.factor=5").succeeded
    assert len(read_notes(toy.run_folder)) == 2
