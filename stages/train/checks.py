"""What can be said of a training before anything is decoded: labels and splits, frames and sizes."""

from collections import Counter
from collections.abc import Iterator, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.stage import Problem, Stage
from pipeline.texts import count
from stages.sources.recordings import recordings_by_name
from stages.sources.spelling import perhaps_the_same
from stages.train.recipe import Recipe

LISTED = 5
"""Classes that are named one by one."""


def check_labels(clips: pa.Table) -> Iterator[Problem]:
    """Problems with the labels and splits of an index."""
    train, val, test = (_labels(clips, split) for split in ("train", "val", "test"))
    if not train:
        splits = ", ".join(sorted({str(split) for split in clips["split"].unique().to_pylist()})) or "no clips"
        yield Problem(
            f"no clip has the split train (there are: {splits}): give clips this split, by the "
            "parameters of the index or in the list that it reads"
        )
        return
    learned = clips.filter(pc.is_in(clips["split"], pa.array(["train", "val"])))
    if unlabeled := learned.filter(pc.is_null(learned["label"]))["clip_id"].to_pylist():
        yield Problem(
            f"{len(unlabeled):,} training clips have no label, the first is {unlabeled[0]}: label them in the index, "
            "or take them out of the splits train and val"
        )
        return
    counts = Counter(label for label in clips["label"].to_pylist() if label is not None)
    if doubtful := perhaps_the_same(counts):
        named = [" and ".join(f"{label!r} ({count(counts[label], 'clip')})" for label in own) for own in doubtful]
        more = f"; and {len(named) - LISTED} more" if len(named) > LISTED else ""
        yield Problem(
            f"are these classes the same? They are trained as different ones: {'; '.join(named[:LISTED])}{more}",
            fatal=False,
        )
    if len(train | val) < 2:
        yield Problem(f"all training clips show {next(iter(train))!r}: training needs at least two classes")
    for split, labels in (("val", val), ("test", test)):
        if unseen := sorted(label for label in labels - train - {None} if label is not None):
            names = ", ".join(unseen[:LISTED]) + (f" and {len(unseen) - LISTED} more" if len(unseen) > LISTED else "")
            yield Problem(f"no training clip shows these classes of the split {split}: {names}", fatal=False)


def check_validation(clips: pa.Table, val_share: float) -> Iterator[Problem]:
    """Whether clips drawn for validation may be of the recordings that are trained on."""
    if val_share == 0 or "val" in clips["split"].to_pylist():
        return
    single = clips.filter(pc.and_(pc.equal(clips["split"], "train"), pc.is_null(clips["group"])))
    if found := sorted(recordings_by_name(single)):
        yield Problem(
            "val_share draws single clips, but by their names several are of one recording, such as those of "
            f"{found[0]}: have the index say which clips are of one group",
            fatal=False,
        )


def check_sizes(recipe: Recipe, upstream: Mapping[str, Stage]) -> Iterator[Problem]:
    """Problems with how many frames of which size the training gets from the stages before it."""
    cached = getattr(upstream.get("shards"), "size", None)
    if recipe.model.uses_rgb and cached is not None and cached < recipe.model.size:
        yield Problem(
            f"frames are enlarged from {cached} to {recipe.model.size} pixels: cache.size is below model.size",
            fatal=False,
        )
    frames = [getattr(upstream.get(table), "frames", None) for table in ("shards", "frames", "skeletons")]
    given = next((count for count in frames if count is not None), None)
    if recipe.frames is not None and given is not None and recipe.frames > given:
        yield Problem(
            f"train.frames is {recipe.frames}, but clips have {given} frames, so some are repeated",
            fatal=False,
        )


def check_turn(recipe: Recipe, upstream: Mapping[str, Stage]) -> Iterator[Problem]:
    """Problems with turning people about the vertical axis."""
    if not recipe.augment.turn:
        return
    skeletons = upstream.get("skeletons")
    pictures = skeletons is None or getattr(skeletons, "second_plane", None) is not None
    if recipe.model.modality != "pose" or recipe.model.persons % 2 or not pictures:
        yield Problem(
            "augment.turn is for skeletons alone that are seen from the front and from the side: set "
            "model.modality: pose, skeletons.second_plane, and an even number of model.persons; or leave turn out"
        )


def check_flip(recipe: Recipe, clips: pa.Table, upstream: Mapping[str, Stage]) -> Iterator[Problem]:
    """Skeletons that are no people's once they are mirrored."""
    if not recipe.augment.flip or not recipe.model.uses_pose:
        return
    skeletons = upstream.get("skeletons")
    layout_of = getattr(skeletons, "layout_of", None)
    layout = layout_of(clips) if layout_of else None
    if layout is not None and not layout.pairs:
        yield Problem(
            f"augment.flip mirrors skeletons, but the joint layout {layout.name} does not say which joints are left "
            "and right: give it pairs (pipeline layouts), or set flip: false",
            fatal=False,
        )
    if getattr(skeletons, "second_plane", None) is not None:
        yield Problem(
            "augment.flip mirrors both pictures of a person who is seen from two sides, and then has the left arm on "
            "the right side: set flip: false",
            fatal=False,
        )


def check_ensemble(recipe: Recipe) -> Iterator[Problem]:
    """Networks of an ensemble that are not trained."""
    if left_out := sorted(set(recipe.ensemble) - set(recipe.others)):
        yield Problem(
            f"ensemble: networks for {' and '.join(left_out)} are left out, as model.modality is "
            f"{recipe.model.modality}",
            fatal=False,
        )


def _labels(clips: pa.Table, split: str) -> set[str | None]:
    """The classes of a split, with None for clips without a label; empty where no clip has the split."""
    return set(clips.filter(pc.equal(clips["split"], split))["label"].unique().to_pylist())
