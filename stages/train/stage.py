"""Train: the stage that makes a recognizer from the shards of the training clips."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import StageError
from pipeline.stage import KnownFile, Problem, Resources, Stage, StageUse, WholeStage
from pipeline.stage_inputs import StageContext, VariantInputs
from recognizer.config import RecognizerConfig
from recognizer.config_file import CONFIG_FILE, WEIGHTS_FILE
from stages.gpu_memory import enough_gpu_memory
from stages.local_files import as_known, keyed_file
from stages.tables import MODELS, SHARDS
from stages.train.calibration import MIN_CLIPS
from stages.train.recipe import Recipe
from stages.train.start import check_start, model_files

LEARNED = ("train", "val")
"""The splits that a training sees."""
UNCALIBRATED, CALIBRATED = 4, 5
"""Versions whose results are still valid for some data."""


class Train(WholeStage, Recipe):
    """Trains a recognizer with AdamW, a linear warm-up and a cosine schedule.

    An interrupted training resumes from its last checkpoint, to the same result. The result is the model after the last
    epoch, or its moving average if ``ema`` is set; with ``keep: best``, that of the epoch with the highest validation
    accuracy. Where 20 clips or more are validated on, its probabilities are calibrated on them.
    """

    key_name: ClassVar[str | None] = "stages.train:Train"
    version: ClassVar[int] = 6
    makes = MODELS
    takes = (SHARDS,)

    def resources(self) -> Resources | None:
        """All cores if ``threads`` is null, since trainings that run side by side must not share cores or GPUs."""
        if self.data_parallel > 1:
            return None  # it starts processes of its own
        return Resources(self.threads or os.cpu_count() or 1, 0 if self.device == "cpu" else 1)

    def spreads(self) -> Resources | None:
        return Resources(1, 0 if self.device == "cpu" else 1) if self.data_parallel > 1 else None

    def version_for(self, clips: pa.Table) -> int:
        """Version 6 keeps a recording of each class for training, version 5 calibrates. Where neither changes anything,
        the result is that of a version before."""
        from stages.train.labels import enough_validation, kept_for_training

        if kept_for_training(clips, self.val_share):
            return self.version
        return CALIBRATED if enough_validation(clips, self.val_share, MIN_CLIPS) else UNCALIBRATED

    def files(self) -> tuple[Path | KnownFile, ...]:
        file = self.backbone_file if self.backbone == "kinetics400" else None
        start = model_files(self.start_from) if self.start_from else ()
        return (*([keyed_file(file, "backbone_file")] if file else []), *map(as_known, start))

    def check(self, clips: pa.Table, upstream: Mapping[str, Stage]) -> Iterator[Problem]:
        from stages.train import checks
        from stages.train.labels import enough_validation

        yield from checks.check_labels(clips)
        yield from checks.check_validation(clips, self.val_share)
        if self.keep == "best" and not enough_validation(clips, self.val_share, 1):
            yield Problem("keep: best needs validation clips: set val_share, or give some clips the split val")
        yield from checks.check_sizes(self, upstream)
        yield from checks.check_turn(self, upstream)
        yield from checks.check_flip(self, clips, upstream)
        yield from checks.check_ensemble(self)
        if self.start_from:
            labels = set(self.select(clips)["label"].unique().to_pylist()) - {None}
            yield from check_start(self.start_from, self.model, labels)

    def select(self, clips: pa.Table) -> pa.Table:
        """The clips of the splits train and val. No others are seen, so classes that are only tested are no classes."""
        return clips.filter(pc.is_in(clips["split"], pa.array(LEARNED)))

    def prepare(self, clips: pa.Table, fetch: bool) -> Iterator[Problem]:
        """Videos that are there twice. A plan of a million clips has no time for this."""
        from stages.sources.copies import copies

        return copies(clips, all_of_them=not fetch)

    def run(self, variants: list[VariantInputs], context: StageContext) -> pa.Table:
        from stages.cache.shards import Shards
        from stages.train.ensemble import fit_networks, together
        from stages.train.labels import training_clips

        (variant,) = variants
        shards = Shards(variant.inputs["shards"], self.model.modality, self.model.persons)
        clips = training_clips(variant.clips, shards.locations, self.val_share)
        if self.keep == "best" and not clips.val:
            raise StageError("keep: best needs validation clips: set val_share, or give some clips the split val")
        frames = self.frames or shards.read(clips.train[0]).frame_count
        preprocessing: dict[str, Any] = {"scale": self.augment.test_scale, "flip": self.augment.flip}
        if variant.about:
            preprocessing["data"] = variant.about
        if (seconds := shards.median_seconds()) is not None:
            preprocessing["seconds"] = round(seconds, 3)
        data: dict[str, Any] = {"class_names": clips.class_names, "frames": frames, "preprocessing": preprocessing}
        data["ensemble"] = self.others
        if shards.layout:  # None where the network sees no skeletons
            data["layout"] = shards.layout
        config = RecognizerConfig(**self.model.model_dump(), **data)
        recipe = self
        if self.data_parallel > 1:
            from pipeline.ray_session import ray_session

            with ray_session():
                from stages.train.ray_workers import fit_in_workers

                fit_in_workers(self, config, variant.inputs["shards"], clips, context)
            # All that is left for this process is to load the last checkpoint.
            recipe = self.model_copy(update={"device": "cpu", "compile": False})
        with enough_gpu_memory("set a smaller batch with more accumulate, or checkpoint_activations: true"):
            trained = fit_networks(recipe, config, shards, clips, context)
            recognizer, history = together(trained, self, config, shards, clips)
        config_json, weights = recognizer.serialize()
        return pa.Table.from_pylist(
            [{"config": config_json, "weights": weights, "history": json.dumps(history)}], schema=self.makes.schema
        )

    def export(self, table: pa.Table, folder: Path, run_folder: Path) -> None:
        """Write ``model/`` for ``Recognizer.from_pretrained``, and ``history.json`` with the figures of each epoch."""
        from pipeline.files import replace_file

        row = table.to_pylist()[0]
        config, weights = self.exported(folder)
        replace_file(config, row["config"].encode())
        replace_file(weights, row["weights"])
        replace_file(folder / "history.json", json.dumps(json.loads(row["history"]), indent=1).encode())

    def exported(self, folder: Path) -> tuple[Path, ...]:
        return folder / "model" / CONFIG_FILE, folder / "model" / WEIGHTS_FILE

    def export_uses(self, uses: Sequence[StageUse], folder: Path, name: str, partition: int) -> None:
        """Write ``model/recognition.json``, which says how the model is used on videos, and the model's card."""
        from pipeline.files import replace_file
        from stages.train.model_card import write_card
        from stages.train.usage import USAGE_FILE, usage_of

        if usage := usage_of(uses, name, partition):
            replace_file(folder / "model" / USAGE_FILE, usage.model_dump_json(indent=1, by_alias=True).encode())
        write_card(folder / "model")
