"""Names of numbered classes: from a file, or from the folders of the videos."""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipeline.errors import ManifestError
from pipeline.registry import did_you_mean
from stages.sources.list_text import lines_of, read_text
from stages.sources.spelling import one_spelling
from stages.sources.split_list_formats import Entry

NUMBERED = re.compile(r"(\d+)[ \t,;:]+(\S.*)")


def labels_of(entries: Sequence[Entry], file: Path | None) -> list[str | None]:
    """The class of each entry: as listed, or by its number, or the folder that its video is in.

    file: the names of the classes. Raises ManifestError with the place of an entry whose class cannot be told.
    """
    names = {number: one_spelling(name) for number, name in _names(entries, file).items()}
    known, labels = set(names.values()), []
    if twice := [name for name, times in Counter(names.values()).items() if times > 1]:
        raise ManifestError(f"classes: {file} gives the name {twice[0]} to {Counter(names.values())[twice[0]]} numbers")
    for entry in entries:
        folder = _folder(entry.name)
        label = entry.label and one_spelling(entry.label)
        if entry.number is not None:
            label = names.get(entry.number)
            if label is None:
                raise ManifestError(f"{entry.place}: class {entry.number} has no name in {file}")
            if folder in known and folder != label:
                raise ManifestError(
                    f"{entry.place}: class {entry.number} is {label}, but the video is in the folder {folder}: "
                    f"give the names in {file} the numbers that the lists use"
                )
        elif label is None and entry.original is None and "/" in entry.name:
            label = folder
        if known and label is not None and label not in known:
            near = did_you_mean(label, known)
            raise ManifestError(f"{entry.place}: no class of {file or 'the other lists'} is called {label}{near}")
        labels.append(label)
    return labels


def _names(entries: Sequence[Entry], file: Path | None) -> Mapping[int, str]:
    """Names by number."""
    numbered = [entry for entry in entries if entry.number is not None]
    if not numbered:
        return {}
    if file is None:
        return _folder_names(numbered)
    given = names_in(file, "classes")
    if isinstance(given, dict):
        return given
    return _counted(given, [entry.number for entry in numbered if entry.number is not None], file)


def names_in(file: Path, parameter: str) -> dict[int, str] | list[str]:
    """Names by number, or in their order: a name per line, a number and a name per line, or JSON.

    parameter: what names the file, for errors. Raises ManifestError with the line of what is neither.
    """
    text = read_text(file, parameter)
    if text.lstrip()[:1] in ("{", "["):
        return _from_json(file, text, parameter)
    lines = lines_of(text, f"{parameter}: {file}")
    matches = [NUMBERED.fullmatch(line) for _, line in lines]
    if not any(matches):
        if lines and lines[-1][0] - lines[0][0] >= len(lines):
            raise ManifestError(f"{parameter}: {file} has empty lines between the names: write the number before each")
        return [line for _, line in lines]
    given: dict[int, str] = {}
    for (number, line), match in zip(lines, matches, strict=True):
        if match is None or int(match[1]) in given:
            raise ManifestError(
                f"{parameter}: {file}, line {number}: {line[:80]!r} is not a new number and a name, as others are"
            )
        given[int(match[1])] = match[2]
    return given


def _counted(names: Sequence[str], numbers: Sequence[int], file: Path) -> Mapping[int, str]:
    """Names by number where the file has none: the lists tell whether they count from 0 or from 1."""
    lowest, highest = min(numbers), max(numbers)
    if highest - (lowest > 0) >= len(names):
        raise ManifestError(f"classes: {file} has {len(names)} names, but the lists have classes up to {highest}")
    if lowest > 0 and highest < len(names):
        raise ManifestError(
            f"classes: {file} has {len(names)} names, and the lists have classes from {lowest} to {highest}, which "
            "could count from 0 or from 1: write the number before each name, as in `0 walk`"
        )
    return dict(enumerate(names, int(lowest > 0)))


def _from_json(file: Path, text: str, parameter: str) -> dict[int, str] | list[str]:
    """An array of names, or an object that gives the number of each name, or the name of each number."""
    try:
        value = json.loads(text)
        if isinstance(value, list):
            return [str(name) for name in value]
        if all(str(key).isdigit() for key in value):
            return {int(key): str(name) for key, name in value.items()}
        return {int(number): str(name) for name, number in value.items()}
    except (ValueError, TypeError, RecursionError) as error:
        raise ManifestError(f"{parameter}: {file}: neither names nor names with numbers: {error}") from error


def _folder_names(entries: Sequence[Entry]) -> Mapping[int, str]:
    """Names by number where each number is of one folder and each folder of one number."""
    folders: defaultdict[int, set[str]] = defaultdict(set)
    numbers: defaultdict[str, set[int]] = defaultdict(set)
    for entry in entries:
        assert entry.number is not None
        folders[entry.number].add(_folder(entry.name))
        numbers[_folder(entry.name)].add(entry.number)
        if len(folders[entry.number]) > 1 or len(numbers[_folder(entry.name)]) > 1 or not _folder(entry.name):
            raise ManifestError(
                f"{entry.place}: the classes are numbers, and the folders of the videos are not the classes: "
                "give a file of their names with the parameter classes"
            )
    return {number: next(iter(names)) for number, names in folders.items()}


def _folder(name: str) -> str:
    """The folder that a video is directly in, in one spelling, or nothing."""
    return one_spelling(name.rpartition("/")[0].rpartition("/")[2])
