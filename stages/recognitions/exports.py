"""The formats that ``recognize --export`` writes, by name."""

from collections.abc import Iterable, Sequence

from pipeline.registry import did_you_mean
from pipeline.stage import Row
from stages.recognitions.coco_videos import write_coco_videos
from stages.recognitions.elan import write_elan
from stages.recognitions.exported_files import Places, Writer
from stages.recognitions.json_lines import write_json_lines
from stages.recognitions.label_studio import write_label_studio
from stages.recognitions.subtitles import write_srt, write_vtt

EXPORTS: dict[str, Writer] = {
    "vtt": write_vtt,
    "srt": write_srt,
    "eaf": write_elan,
    "labelstudio": write_label_studio,
    "coco": write_coco_videos,
    "jsonl": write_json_lines,
}


def asked_for(options: Iterable[str]) -> list[str]:
    """The names in options such as ``vtt,srt``, each once. Raises ValueError for a name that is none."""
    names = [name.strip().lower() for option in options for name in option.split(",")]
    for name in names:
        if name not in EXPORTS:
            raise ValueError(f"no format is called '{name}'{did_you_mean(name, EXPORTS)}")
    return list(dict.fromkeys(names))


def write_exports(names: Iterable[str], videos: Sequence[Row], places: Places, model: str) -> list[str]:
    """Write rows of RECOGNITIONS in the formats with these names; each file that changes is replaced as a whole.
    Returns lines about what was not written.

    model: what the model is called.
    """
    lines = [EXPORTS[name](videos, places, model) for name in names]
    return [line for line in lines if line]
