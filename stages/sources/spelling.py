"""Spellings of classes: which of them are one class, and which of them may be."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable

import pyarrow as pa

_SEPARATORS = {"Pc", "Pd", "Zs", "Cf"}
"""Unicode's categories of underscores, hyphens, blanks and invisible characters."""


def one_spelling(label: str) -> str:
    """The label with composed letters, one blank between words, and none around them.

    Nobody can see whether ``café`` has four letters or an accent of its own, or that a blank follows it.
    """
    return " ".join(unicodedata.normalize("NFC", label).split())


def spelled_alike(labels: pa.Array | pa.ChunkedArray) -> pa.Array:
    """A column of labels in one spelling each; blank ones are null."""
    if isinstance(labels, pa.ChunkedArray):
        labels = labels.combine_chunks()
    encoded = labels.dictionary_encode()
    spellings = [one_spelling(label) or None for label in encoded.dictionary.to_pylist()]
    return pa.array(spellings, pa.string()).take(encoded.indices)


def perhaps_the_same(labels: Iterable[str]) -> list[list[str]]:
    """Labels that differ only in case or in what separates words, such as ``Long_Jump`` and ``long jump``."""
    alike: defaultdict[str, list[str]] = defaultdict(list)
    for label in sorted(labels):
        alike[_letters(label)].append(label)
    return [own for own in alike.values() if len(own) > 1]


def _letters(label: str) -> str:
    """A label without case and separators; signs and decimal points of numbers count."""
    if re.fullmatch(r"[\d\W_]+", label):
        return label
    folded = unicodedata.normalize("NFKC", label).casefold()
    return "".join(sign for sign in folded if unicodedata.category(sign) not in _SEPARATORS)
