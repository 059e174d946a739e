"""Text files that people wrote or programs exported: their encoding, and how their paths are written."""

import codecs
import re
from collections.abc import Callable
from pathlib import Path

from pipeline.errors import ManifestError
from stages.file_kinds import HEAD, kind_of

LONGEST_LINE = 4096
"""Characters; no path is longer."""


def read_text(file: Path, parameter: str) -> str:
    """The text of a file in UTF-8, or in UTF-16 with a byte order mark. parameter: what names the file, for errors.

    Raises ManifestError, with the line of what is not UTF-8, or with what the file is if it is no text.
    """
    if not file.is_file():
        raise ManifestError(f"{parameter}: there is no file {file}")
    try:
        with file.open("rb") as opened:
            content = opened.read(HEAD)
            if kind := kind_of(content):
                raise ManifestError(f"{parameter}: {file} is {kind}; a list must be a text file: save it as CSV")
            content += opened.read()
    except OSError as error:
        raise ManifestError(f"{parameter}: {file} cannot be read: {error.strerror}") from error
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", "replace")  # Excel's "Unicode text"
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ManifestError(f"{parameter}: {file}, line {line}: not UTF-8: save the list in UTF-8") from error


def lines_of(text: str, prefix: str) -> list[tuple[int, str]]:
    """The lines that are not blank, stripped, with their numbers. prefix: what an error begins with."""
    found = []
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), 1):
        if len(line) > LONGEST_LINE:
            raise ManifestError(f"{prefix}, line {number}: longer than {LONGEST_LINE:,} characters: this is not a list")
        if line.strip():
            found.append((number, line.strip()))
    return found


def forward_slashes(name: str, exists: Callable[[str], bool]) -> str:
    r"""A path as listed, with forward slashes: ``a\b.mp4`` becomes ``a/b.mp4``, unless a file has that name.

    Raises ManifestError if it begins with a drive, since nothing is known of that machine.
    """
    if "\\" not in name or exists(name):
        return name
    if re.match(r"[A-Za-z]:\\|\\\\", name):
        raise ManifestError(f"{name} is a path of a Windows machine: list it relative to root")
    return name.replace("\\", "/")
