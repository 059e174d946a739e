"""From what a user calls a model to the folder with its config.json and model.safetensors."""

from pathlib import Path

from pipeline.errors import ManifestError
from recognizer.config_file import CONFIG_FILE, WEIGHTS_FILE
from stages.commands.model_usage import refuse_outdated
from stages.commands.trained_run import MODEL, run_and_variant
from stages.places import url_of
from stages.train.start import model_at

FILES = (CONFIG_FILE, WEIGHTS_FILE, "README.md", "recognition.json")
"""All that belongs to a model. Nothing else is downloaded or published."""


def model_folder(model: str) -> Path:
    """The local folder of a model.

    model: a run or a variant, by folder or name; a folder with config.json and model.safetensors; the URL of a run's, a
    variant's or a model's folder, of which a copy is made; or the name of a repository of the Hugging Face
    hub (``owner/name``), which is downloaded unless it is in the local cache.

    Raises ManifestError that says what is wrong.
    """
    if (url := url_of(Path(model))) is not None:
        found = model_at(url, "the model", *FILES)
        if found is None:
            raise ManifestError(f"{url}: there is no model, with {CONFIG_FILE} and {WEIGHTS_FILE}")
        return found
    path = Path(model).expanduser()
    if (path / CONFIG_FILE).is_file():
        return _whole(path)
    try:
        run, variant = run_and_variant(str(path))
    except ManifestError as error:
        if path.exists() or not _like_hub_name(model):
            raise ManifestError(
                f"{error}; nor is it the folder of a model, with {CONFIG_FILE} and {WEIGHTS_FILE}, or a name on the "
                "Hugging Face hub such as owner/name"
            ) from error
        return _whole(_downloaded(model))
    folder = (run / "variants" / variant if variant else run) / MODEL
    if not folder.is_dir():
        variants = sorted(str(found.parent) for found in run.glob(f"variants/*/{MODEL}"))
        if variants and not variant:
            raise ManifestError(f"{run}: the run has several models; name one: {', '.join(variants)}")
        raise ManifestError(f"{folder}: the run has no trained model yet; finish it first")
    return _whole(folder)


def _like_hub_name(model: str) -> bool:
    owner, slash, name = model.partition("/")
    return bool(slash and owner and name) and "/" not in name and owner not in (".", "..", "~", "runs")


def _whole(folder: Path) -> Path:
    for name in (CONFIG_FILE, WEIGHTS_FILE):
        if not (folder / name).is_file():
            raise ManifestError(f"{folder}: the model lacks {name}")
    refuse_outdated(folder)
    return folder


def _downloaded(repository: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
    )

    try:
        return Path(snapshot_download(repository, allow_patterns=list(FILES)))
    except GatedRepoError as error:
        raise ManifestError(f"{repository}: its owner grants access on request: ask on the hub, and log in") from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise ManifestError(
            f"{repository}: no run or folder, and no repository of this name on the Hugging Face hub that can be seen "
            "with this login (HF_TOKEN)"
        ) from error
    except LocalEntryNotFoundError as error:
        raise ManifestError(
            f"{repository}: no run or folder; the Hugging Face hub cannot be reached (or HF_HUB_OFFLINE is set), and "
            "the model has not been downloaded before"
        ) from error
    except (HfHubHTTPError, OSError) as error:
        raise ManifestError(f"{repository}: cannot be downloaded from the Hugging Face hub: {error}") from error
