"""A training whose machine is lost goes on elsewhere, with nothing but the store."""

import shutil
from pathlib import Path

import pytest

from pipeline.errors import StageError
from pipeline.jobs import WholeJob, do_whole
from pipeline.kept_work import KeptWork
from pipeline.stage_inputs import TableFiles, VariantInputs
from pipeline.store import WORK, Store
from stages.train.checkpoints import load_checkpoint
from stages.train.stage import Train

KEY = "0123456789abcdef" * 2
TINY = {"width": 4, "size": 16, "heads": 2, "blocks": 1, "dropout": 0.1}
STAGE = Train(model=TINY, epochs=3, batch=3, threads=1, device="cpu", checkpoint_minutes=1000)


class MachineLostError(Exception):
    pass


def job(store: Store, folder: Path, made: tuple) -> WholeJob:
    clips, files = made
    return WholeJob("train", STAGE, store.url, "train", KEY, [VariantInputs("", clips, {"shards": files})], folder)


def train(job: WholeJob) -> None:
    do_whole(job, lambda done, total, **figures: None)


def test_it_goes_on_from_the_last_checkpoint_to_the_same_bits(
    s3: str, made_set, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clips, files = made_set(18)
    undisturbed, store = Store(str(tmp_path / "undisturbed")), Store(f"{s3}/store")
    (tmp_path / "alone").mkdir()
    train(job(undisturbed, tmp_path / "alone", (clips, files)))

    remote = [store.path("cache", f"{i:032x}") for i in range(len(files.paths))]
    for here, there in zip(files.paths, remote, strict=True):
        store.filesystem.put_file(here, there)
    made = clips, TableFiles(remote, store.open_input, files.schema)
    keep, kept = KeptWork.keep, []

    def lost_at_the_second(self: KeptWork, file: Path) -> None:
        keep(self, file)
        kept.append(file)
        if len(kept) == 2:
            raise MachineLostError

    monkeypatch.setattr(KeptWork, "keep", lost_at_the_second)
    with pytest.raises(MachineLostError):
        train(job(store, tmp_path / "first", made))
    monkeypatch.undo()
    shutil.rmtree(tmp_path / "first")
    assert list(store.sizes()) == [*remote, f"{store.root}/{WORK}/{KEY}.checkpoint.safetensors"]

    KeptWork(store.url, KEY).restore(tmp_path / "second")
    checkpoint = load_checkpoint(tmp_path / "second" / "checkpoint.safetensors", "")
    assert checkpoint is not None and checkpoint[1]["epoch"] == 2
    shutil.rmtree(tmp_path / "second")
    train(job(Store(store.url), tmp_path / "second", made))
    assert store.read(store.path("train", KEY)) == undisturbed.read(undisturbed.path("train", KEY))
    assert store.notes(WORK) == []


def test_of_a_damaged_checkpoint_the_copy_is_named_that_brings_it_back(s3: str, made_set, tmp_path: Path) -> None:
    store = Store(f"{s3}/damaged")
    place = f"{store.url}/{WORK}/{KEY}.checkpoint.safetensors"
    store.write_note(f"{WORK}/{KEY}.checkpoint.safetensors", "half of it")
    made = made_set(6)
    with pytest.raises(StageError, match=rf"the checkpoint {place} is damaged \(.*\): remove it to start over"):
        train(job(store, tmp_path / "work", made))
    store.remove_note(place.removeprefix(f"{store.url}/"))
    train(job(store, tmp_path / "work", made))
    assert store.notes(WORK) == [] and not (tmp_path / "work" / "checkpoint.safetensors").exists()


def test_a_store_in_a_folder_gets_no_copies(made_set, tmp_path: Path) -> None:
    store = Store(str(tmp_path / "store"))
    (tmp_path / "work").mkdir()
    train(job(store, tmp_path / "work", made_set(6)))
    assert [path.name for path in (tmp_path / "store").iterdir()] == ["tmp", "train"]
