"""Which clips are trained on, which are validated on, and the class of each."""

import hashlib
from collections.abc import Container, Iterator
from itertools import islice
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import StageError


class LabeledClips(NamedTuple):
    """Ids of the training and validation clips, in the order of the index, and their classes."""

    class_names: tuple[str, ...]
    train: tuple[str, ...]
    val: tuple[str, ...]
    targets: dict[str, int]
    """Index into ``class_names`` by clip id."""


def training_clips(clips: pa.Table, available: Container[str], val_share: float) -> LabeledClips:
    """The clips of the splits ``train`` and ``val`` that have shards.

    If there is no ``val`` split, a hash of the clip id decides which training clips, a fraction of ``val_share``, are
    held out for validation. Clips of one recording stay together: for them it is a hash of their group. Every class
    keeps a recording for training. Clips without a shard are left out, but their labels still count as classes.

    Raises StageError if there is nothing to learn.
    """
    columns = ("clip_id", "label", "split", "group")
    rows = [row for row in clips.select(columns).to_pylist() if row["split"] in ("train", "val")]
    if not any(row["split"] == "train" for row in rows):
        splits = ", ".join(sorted({str(row["split"]) for row in clips.select(["split"]).to_pylist()})) or "no clips"
        raise StageError(f"no clip has the split train (there are: {splits}): set the split parameters of the index")
    unlabeled = [row["clip_id"] for row in rows if row["label"] is None]
    if unlabeled:
        raise StageError(
            f"{len(unlabeled)} training clips have no label, the first is {unlabeled[0]}: "
            "label them in the index, or take them out of the splits train and val"
        )
    class_names = tuple(sorted({row["label"] for row in rows}))
    if len(class_names) < 2:
        raise StageError(f"all training clips show {class_names[0]!r}: training needs at least two classes")

    usable = [row for row in rows if row["clip_id"] in available]
    if any(row["split"] == "val" for row in rows):
        validates = {row["clip_id"]: row["split"] == "val" for row in usable}
    else:
        kept = kept_for_training(clips, val_share)
        validates = {row["clip_id"]: _is_held_out(row["group"] or row["clip_id"], val_share, kept) for row in usable}
    train = tuple(clip_id for clip_id, held_out in validates.items() if not held_out)
    val = tuple(clip_id for clip_id, held_out in validates.items() if held_out)
    if not train:
        raise StageError(
            f"none of the {len(rows)} training clips is left (val_share is {val_share:g}): "
            "see `pipeline failures`, or set a smaller val_share"
        )
    targets = {row["clip_id"]: class_names.index(row["label"]) for row in usable}
    return LabeledClips(class_names, train, val, targets)


def enough_validation(clips: pa.Table, val_share: float, wanted: int) -> bool:
    """Whether at least ``wanted`` clips are validated on, if none of them fails."""
    of_val = pc.sum(pc.equal(clips["split"], "val")).as_py() or 0
    if of_val or not val_share:
        return of_val >= wanted
    kept = kept_for_training(clips, val_share)
    held_out = (name for name, _ in _recordings(clips) if _is_held_out(name, val_share, kept))
    return len(list(islice(held_out, wanted))) == wanted


def kept_for_training(clips: pa.Table, val_share: float) -> set[str]:
    """Recordings that are trained on although they were drawn for validation: no other one shows their class."""
    if not val_share or pc.any(pc.equal(clips["split"], "val")).as_py():
        return set()  # none is drawn
    own = clips.filter(pc.equal(clips["split"], "train"))
    without = set(own["label"].unique().to_pylist())
    for name, label in _recordings(clips):
        if not without:
            return set()
        if label in without and _share(name) >= val_share:
            without.remove(label)
    last: dict[str | None, str] = {}
    for name, label in _recordings(clips):
        if label in without and (label not in last or _share(name) > _share(last[label])):
            last[label] = name
    return set(last.values())


def _recordings(clips: pa.Table) -> Iterator[tuple[str, str | None]]:
    """What each training clip is drawn by, its group or else its id, and its label."""
    own = clips.filter(pc.equal(clips["split"], "train"))
    columns = (own[name].to_pylist() for name in ("clip_id", "group", "label"))
    return ((group or clip_id, label) for clip_id, group, label in zip(*columns, strict=True))


def _is_held_out(recording: str, val_share: float, kept: set[str]) -> bool:
    return _share(recording) < val_share and recording not in kept


def _share(name: str) -> float:
    """A number in [0, 1) that depends only on the name, so adding clips does not move others between the splits."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest()) / 2**64
