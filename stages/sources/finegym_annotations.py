"""The published files of FineGYM: ids, categories, lists of actions, and times to hundredths of a second."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from math import isfinite
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.errors import ManifestError

TIMES = ("finegym_annotation_info_v1.1.json", "finegym_annotation_info_v1.0.json")
"""The published times; the newer file is the first choice, since its actions include those of the older one."""
SITE = "https://sdolivia.github.io/FineGym"

_ID = re.compile(r"(([\w-]+)_(E_(\d{1,9})_(\d{1,9})))_(A_(\d{1,9})_(\d{1,9}))", re.ASCII)
_CATEGORY = re.compile(r"Clabel:\s*(\d{1,9});\s*set:\s*(\d{1,9});\s*Glabel:\s*\d+;\s*(\S.*)", re.ASCII)


class Span(NamedTuple):
    """A part of a file, in seconds."""

    start: float
    end: float


class Spans(NamedTuple):
    """Where an action is, in each of the files that may contain it."""

    event: Span
    video: Span


class Action(NamedTuple):
    """An action, as its published id describes it: ``VIDEO_E_start_end_A_start_end``."""

    name: str
    video: str
    event: str
    """Id of the event, which begins with the video's."""
    keys: tuple[str, str]
    """What the times call the event and, within it, the action."""
    spans: Spans
    """The shortest spans that are sure to contain the action, as far as the id says.

    All of an id's numbers are rounded down: the action 0003_0005 may end at 5.9 s. Within a video, the beginning of the
    event may add another second. No action ends after its event.
    """

    @classmethod
    def named(cls, name: str) -> "Action | None":
        """The action with this id; None if it is no such id."""
        match = _ID.fullmatch(name)
        if match is None:
            return None
        start, end, first, last = (int(match[group]) for group in (4, 5, 7, 8))
        if end < start or last < first:
            return None
        in_event = Span(first, last + 1)
        in_video = Span(start + first, min(start + last + 2, max(end, start + last) + 1))
        return cls(name, match[2], match[1], (match[3], match[6]), Spans(in_event, in_video))


class Annotations:
    """The published files in a folder, under their published names. Whatever is read raises ManifestError with the file
    and line of what is wrong."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def class_names(self, categories: str) -> dict[int, str]:
        """Class names by number. A name may occur twice, as of a salto that is also done as a dismount: such classes
        are told apart by their set."""
        listed: dict[int, tuple[str, str]] = {}
        for place, line in self._lines(f"{categories}_categories.txt"):
            match = _CATEGORY.fullmatch(line)
            if match is None:
                raise ManifestError(f"root: {place}: expected 'Clabel: 0; set: 1; Glabel: 1; name', not {line[:80]!r}")
            if int(match[1]) in listed:
                raise ManifestError(f"root: {place}: Clabel {match[1]} is listed twice")
            listed[int(match[1])] = match[3], match[2]
        namesakes = Counter(name for name, _ in listed.values())
        return {
            number: name if namesakes[name] == 1 else f"{name} (set {group})"
            for number, (name, group) in listed.items()
        }

    def actions(self, name: str, class_names: Mapping[int, str]) -> dict[Action, str]:
        """The actions of a list, with their classes."""
        listed: dict[Action, str] = {}
        for place, line in self._lines(name):
            match line.split():
                case [text, number] if (action := Action.named(text)) and re.fullmatch("[0-9]{1,9}", number):
                    if int(number) not in class_names:
                        raise ManifestError(f"root: {place}: there is no class {number} among the categories")
                    if action in listed:
                        raise ManifestError(f"root: {place}: {text} is listed twice")
                    listed[action] = class_names[int(number)]
                case _:
                    raise ManifestError(
                        f"root: {place}: expected an id VIDEO_E_start_end_A_start_end and the number of a class, "
                        f"not {line[:80]!r}"
                    )
        if not listed:
            raise ManifestError(f"root: {self.folder / name} lists no actions: download it again from {SITE}")
        return listed

    def times(self) -> "Times":
        """The published times, or none where the file is not there."""
        file = next((self.folder / name for name in TIMES if (self.folder / name).is_file()), None)
        if file is None:
            return Times({})
        try:
            videos = json.loads(file.read_bytes())
        except (OSError, ValueError, RecursionError) as error:
            raise ManifestError(
                f"root: {file} cannot be read as JSON: {error}: download it again from {SITE}"
            ) from error
        if not isinstance(videos, dict):
            raise ManifestError(f"root: {file} has no entries by video: download it again from {SITE}")
        return Times(videos)

    def _lines(self, name: str) -> Iterator[tuple[str, str]]:
        """The lines of a file that are not empty, each with where it is."""
        file = self.folder / name
        try:
            lines = file.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            raise ManifestError(f"root: there is no file {file}: {self._remedy(name)}") from None
        except (OSError, UnicodeDecodeError) as error:
            raise ManifestError(f"root: {file} cannot be read: {error}: download it again from {SITE}") from error
        yield from ((f"{file}, line {number}", line.strip()) for number, line in enumerate(lines, 1) if line.strip())

    def _remedy(self, name: str) -> str:
        """What to do about a file that is not there."""
        there = sorted(path.name for path in self.folder.glob(re.sub(r"v1\.\d", "v*", name)))
        if there:
            return f"get it from {SITE}, or set train_list to the version of {there[0]}, which is there"
        if any((self.folder / times).is_file() for times in TIMES):
            return f"get it from {SITE}; the annotation JSON beside it has times, but neither classes nor splits"
        return f"get it from {SITE}"


class Times:
    """Times by video, event and action."""

    def __init__(self, videos: Mapping[str, Any]) -> None:
        self._videos = videos

    def spans(self, action: Action) -> Spans | None:
        """The spans of an action to hundredths of a second; None if it is not annotated.

        An action of several stages, such as a vault, lasts from the first to the last of them.
        """
        event, segment = action.keys
        try:
            entry = self._videos[action.video][event]
            stages = entry["segments"][segment]["timestamps"]
            begin, start, end = float(entry["timestamps"][0][0]), float(stages[0][0]), float(stages[-1][1])
        except (KeyError, IndexError, TypeError, ValueError):
            return None
        if not (isfinite(begin) and isfinite(end) and 0 <= start < end and begin >= 0):
            return None
        in_event = Span(round(start, 2), round(end, 2))
        return Spans(in_event, Span(round(begin + start, 2), round(begin + end, 2)))
