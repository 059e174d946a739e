"""The formats that ``recognize --export`` writes, by name."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from pipeline.registry import did_you_mean
from pipeline.stage import Row
from stages.recognitions import coco_videos, elan, json_lines, label_studio, subtitles
from stages.recognitions.exported_files import Places, Writer


class Format(NamedTuple):
    """A format, and where its files are in the folder of results."""

    write: Writer
    place: str
    """A file about all videos, or a folder with a file about each."""
    extension: str | None = None
    """Of the files in that folder."""

    def is_there(self, videos: Sequence[Row], places: Places) -> bool:
        """Whether there is a file, of the videos that are rows of RECOGNITIONS."""
        if self.extension is None:
            return (places.out / self.place).is_file()
        return any(places.beside(self.place, video, self.extension).is_file() for video in videos)


EXPORTS = {
    "vtt": Format(subtitles.write_vtt, subtitles.FOLDER, ".vtt"),
    "srt": Format(subtitles.write_srt, subtitles.FOLDER, ".srt"),
    "eaf": Format(elan.write_elan, elan.FOLDER, ".eaf"),
    "labelstudio": Format(label_studio.write_label_studio, label_studio.TASKS),
    "coco": Format(coco_videos.write_coco_videos, coco_videos.NAME),
    "jsonl": Format(json_lines.write_json_lines, json_lines.NAME),
}


def asked_for(options: Iterable[str]) -> list[str]:
    """The names in options such as ``vtt,srt``, each once. Raises ValueError for a name that is none."""
    names = [name.strip().lower() for option in options for name in option.split(",")]
    for name in names:
        if name not in EXPORTS:
            raise ValueError(f"no format is called '{name}'{did_you_mean(name, EXPORTS)}")
    return list(dict.fromkeys(names))


def write_exports(names: Iterable[str], videos: Sequence[Row], places: Places, model: str) -> list[str]:
    """Write rows of RECOGNITIONS in the formats with these names, and in those that are there from an earlier
    recognition, which would contradict the tables otherwise; each file that changes is replaced as a whole.
    Returns lines about what was not written, and about what was without being asked for.

    model: what the model is called.
    """
    asked = list(names)
    there = [name for name, own in EXPORTS.items() if name not in asked and own.is_there(videos, places)]
    lines = [EXPORTS[name].write(videos, places, model) for name in [*asked, *there]]
    if there:
        lines.append(f"also written, as they are in {places.out} from an earlier recognition: {', '.join(there)}")
    return [line for line in lines if line]
