"""Splits for clips whose data set has none: the same ones every time, whatever the order of the clips."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.stage import Problem
from stages.sources.spelling import one_spelling


def drawn_splits(
    names: Sequence[str],
    labels: Sequence[str],
    test_share: float,
    val_share: float,
    recordings: Sequence[str | None] | None = None,
) -> list[str]:
    """A split for each clip: in each class, the smallest hashes are for testing, the next ones for validation.

    All clips of a recording get the split of the first of them: the one that it brings closer to its share.
    """
    labels = [one_spelling(label) for label in labels]
    together: defaultdict[str, list[int]] = defaultdict(list)
    for row, name in enumerate(names):
        recording = None if recordings is None else recordings[row]
        together[name if recording is None else f"{recording}\n"].append(row)  # no file is called like that
    sizes = Counter(labels)
    wanted = {
        split: Counter({label: round(share * size) for label, size in sizes.items()})
        for split, share in (("test", test_share), ("val", val_share))
    }
    splits = ["train"] * len(names)
    for name in sorted(together, key=lambda name: hashlib.blake2b(name.encode(), digest_size=8).digest()):
        added = Counter(labels[row] for row in together[name])
        for split, missing in wanted.items():
            if sum(abs(missing[label] - size) - abs(missing[label]) for label, size in added.items()) < 0:
                missing.subtract(added)
                for row in together[name]:
                    splits[row] = split
                break
    return splits


def refuse_large_shares(test_share: float, val_share: float) -> None:
    """Raise ValueError if nothing is left to train on."""
    if test_share + val_share >= 1:
        raise ValueError("test_share and val_share leave nothing to train on: their sum must be below 1")


def untested(clips: pa.Table, test_share: float) -> Iterator[Problem]:
    """Classes of which no clip was drawn for testing, unless none was to be."""
    tested = set(clips.filter(pc.equal(clips["split"], "test"))["label"].to_pylist())
    missing = sorted(set(clips["label"].to_pylist()) - tested - {None})
    if not missing or not test_share:
        return
    if not tested:
        remedy = f"they have too few clips or recordings for a test_share of {test_share:g}; a larger one gives some"
        yield Problem(f"no class has a test clip: {remedy}", fatal=False)
        return
    text = f"{len(missing):,} of {len(tested | set(missing)):,} classes have no test clip"
    yield Problem(f"{text}, such as {missing[0]}: they have few clips or recordings", fatal=False)
