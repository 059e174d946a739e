"""The model that a training starts from: where its files are, and how it differs. Plans ask, so PyTorch is not needed.

Nothing is downloaded: keys depend on the files' content, so they have to be here before a plan is made.
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pipeline.errors import ManifestError
from pipeline.stage import Problem
from pipeline.urls import is_url
from recognizer.config import NetworkConfig, RecognizerConfig
from recognizer.config_file import CONFIG_FILE, WEIGHTS_FILE, read_config
from recognizer.skeletons import layout
from stages.local_files import NoSuchFileError, local_copy
from stages.places import files_below

FILES = (CONFIG_FILE, WEIGHTS_FILE)
SHIPPED = {"drawn": Path(__file__).parent / "drawn"}
"""Models that come with the package. ``manifests/drawn.yaml`` trained this one."""
LISTED = 5
"""Variants and classes that are named one by one."""
REGULARIZE = ("dropout", "drop_path")
"""Parameters of a network that change nothing in what its weights mean."""


def model_files(start_from: str) -> tuple[Path, ...]:
    """The two files of a saved recognizer.

    start_from: the name of a model that comes with the package, the folder or URL of a model, of a run or of a
    variant, or ``owner/name``, a repository of the Hugging Face hub that has been downloaded to its local cache. Raises
    ManifestError if there is no model.
    """
    if is_url(start_from):
        return _copied(start_from.rstrip("/"))
    path = SHIPPED.get(start_from, Path(start_from))
    for folder in (path, path / "model"):
        if all((folder / name).is_file() for name in FILES):
            return tuple(folder / name for name in FILES)
    if path.is_dir():
        variants = sorted(str(folder) for folder in path.glob("variants/*") if (folder / "model").is_dir())[:LISTED]
        remedy = f"name one of its variants: {', '.join(variants)}" if variants else "has its training ended?"
        raise ManifestError(f"start_from: {path} holds no trained model ({' and '.join(FILES)}): {remedy}")
    if not re.fullmatch(r"\w[\w.-]*/\w[\w.-]*", start_from, re.ASCII):
        raise ManifestError(f"start_from: {path}: no such folder; give that of a run, of a variant or of a model")
    found = [_in_cache(start_from, name) for name in FILES]
    if None in found:
        raise ManifestError(
            f"start_from: {start_from} is no folder, and no repository of the Hugging Face hub that has been "
            f"downloaded; to download it: hf download {start_from} {' '.join(FILES)}"
        )
    return tuple(file for file in found if file is not None)


def model_at(url: str, what: str, *more: str) -> Path | None:
    """A folder with copies of the model at a URL, or in the folder ``model`` there; None if there is none.

    more: other files that are copied if they are there. Raises ManifestError if the URL cannot be read.
    """
    for folder in (url, f"{url}/model"):
        with suppress(NoSuchFileError):
            copy = local_copy(f"{folder}/{CONFIG_FILE}", what, WEIGHTS_FILE, *more).parent
            if (copy / WEIGHTS_FILE).is_file():
                return copy
    return None


def _copied(url: str) -> tuple[Path, ...]:
    found = model_at(url, "start_from")
    if found is not None:
        return tuple(found / name for name in FILES)
    parts = (file.name.split("/") for file in files_below(url, "start_from"))
    variants = sorted({part[1] for part in parts if part[:1] == ["variants"] and part[2:] == ["model", CONFIG_FILE]})
    some = ", ".join(f"{url}/variants/{name}" for name in variants[:LISTED])
    remedy = f"name one of its variants: {some}" if variants else "give the URL of a run, of a variant or of a model"
    raise ManifestError(f"start_from: {url} holds no trained model ({' and '.join(FILES)}): {remedy}")


def _in_cache(repository: str, name: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        found = try_to_load_from_cache(repository, name)
    except HFValidationError:
        return None
    return Path(found) if isinstance(found, str) else None


def check_start(start_from: str, network: NetworkConfig, labels: set[str]) -> Iterator[Problem]:
    """What a training would take from a model, as far as its config.json says.

    labels: the classes of the training's clips.
    """
    config_file = model_files(start_from)[0]
    try:
        start = read_config(config_file.read_bytes())
    except (OSError, ValueError) as error:
        yield Problem(f"start_from: {config_file}: {error}")
        return
    differ = differences(start, network)
    if start.width != network.width:  # all matrices have it in their shapes
        yield Problem(f"start_from: nothing of {start_from} fits, as {'; '.join(differ)}: set model.width to the same")
        return
    known = len(labels.intersection(start.class_names))
    text = f"starts from {start_from}, which knows {known} of the {len(labels)} classes"
    forgotten = [name for name in start.class_names if name not in labels]
    others = f" and {len(forgotten) - LISTED} others" if len(forgotten) > LISTED else ""
    names = ", ".join(forgotten[:LISTED]) + others
    lost = [f"classes without training clips, which the new model will not know: {names}"]
    yield Problem("; ".join([text, *(lost if forgotten and start_from not in SHIPPED else ()), *differ]), fatal=False)


def differences(start: NetworkConfig, own: NetworkConfig) -> list[str]:
    """What differs between the networks of two models, such as ``width is 16 there and 8 here``."""
    names = [name for name in NetworkConfig.model_fields if name not in REGULARIZE]
    if isinstance(start, RecognizerConfig) and isinstance(own, RecognizerConfig):
        names += ["frames", "layout"]
    pairs = {name: (getattr(start, name), getattr(own, name)) for name in names}
    if "layout" in pairs:
        pairs["layout"] = (layout(pairs["layout"][0]).name, layout(pairs["layout"][1]).name)
    return [f"{name} is {there} there and {here} here" for name, (there, here) in pairs.items() if there != here]
