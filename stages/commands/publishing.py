"""Sends a model to the Hugging Face hub: what belongs to it and nothing else, without this machine's paths."""

import hashlib
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PureWindowsPath
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

from pipeline.errors import ManifestError
from pipeline.registry import load_stage
from stages.commands.model_folder import FILES, model_folder
from stages.places import url_of
from stages.train.usage import USAGE_FILE, Usage

_OTHERWISE = {
    False: "everybody can see it: add --public, or choose another name",
    True: "only its owner can see it: make it public in its settings on the hub, leave out --public, or choose another "
    "name",
}
"""Where ``public`` is not what an existing repository is: what it is, and what to do."""


@dataclass(frozen=True)
class Sent:
    """What is sent: a folder with copies of the model's files."""

    folder: Path
    files: tuple[tuple[str, int, str], ...]
    """Name, size in bytes and SHA-256 of each."""
    not_sent: tuple[str, ...]
    """Files that recognition.json names, such as weights: those who use the model need them, too."""


@contextmanager
def prepared(model: str, repository: str) -> Iterator[Sent]:
    """What would be sent, for as long as the context lasts. Nothing is sent, and the hub is not asked.

    model: see ``model_folder``. repository: ``owner/name``. Raises ManifestError for a model that does not load, and
    for a name that the hub does not allow.
    """
    from recognizer.model import Recognizer

    _check_name(repository)
    source = model_folder(model)
    try:
        Recognizer.from_pretrained(source)
        with TemporaryDirectory(prefix="publish-") as temporary:
            folder = Path(temporary)
            named: tuple[str, ...] = ()
            for name in FILES:
                if (source / name).is_file():
                    shutil.copyfile(source / name, folder / name)
            if (folder / USAGE_FILE).is_file():
                usage, named = without_folders(Usage.read(source))
                (folder / USAGE_FILE).write_text(usage.model_dump_json(indent=1, by_alias=True), encoding="utf-8")
            yield Sent(folder, tuple(_described(folder / name) for name in FILES if (folder / name).is_file()), named)
    except ValueError as error:
        raise ManifestError(str(error)) from error


def send(sent: Sent, repository: str, public: bool) -> str:
    """Send it, into a repository that is made if there is none, and return its address.

    Of an earlier model there, the files that this one lacks are deleted. public: whether everybody may see it. Raises
    ManifestError if the hub does not take it, and for an existing repository that others see than is meant.
    """
    from huggingface_hub import HfApi, get_token
    from huggingface_hub.errors import HfHubHTTPError, HTTPError, OfflineModeIsEnabled

    if not get_token():
        raise ManifestError("not logged in to the Hugging Face hub: run `hf auth login`, or set HF_TOKEN")
    api = HfApi()
    try:
        url = api.create_repo(repository, private=not public, exist_ok=True)
        if bool(api.model_info(repository).private) == public:  # who sees an existing repository does not change
            raise ManifestError(f"{repository}: on the hub, {_OTHERWISE[public]}")
        sent_names = {name for name, _, _ in sent.files}
        api.upload_folder(
            repo_id=repository,
            folder_path=sent.folder,
            allow_patterns=list(FILES),
            delete_patterns=[name for name in FILES if name not in sent_names],  # those of another model
            commit_message="Publish the model",
        )
    except HfHubHTTPError as error:
        raise ManifestError(_refusal(repository, error)) from error
    except OfflineModeIsEnabled as error:
        raise ManifestError("HF_HUB_OFFLINE is set: without it, the model can be sent") from error
    except (HTTPError, OSError) as error:
        raise ManifestError(f"{repository}: the Hugging Face hub cannot be reached: {error}") from error
    return str(url)


def without_folders(usage: Usage) -> tuple[Usage, tuple[str, ...]]:
    """The usage with the names of files in place of their paths, and these names."""
    found: list[str] = []

    def reduced(value: Any, path: bool) -> Any:
        if isinstance(value, dict):
            return {name: reduced(one, path) for name, one in value.items()}
        if isinstance(value, list):
            return [reduced(one, path) for one in value]
        if not isinstance(value, str) or not (path or _is_path(value)):
            return value
        url = url_of(Path(value))  # which may end with what gives access
        place = value if url is None else urlsplit(url).path
        found.append(PureWindowsPath(place).name)  # both kinds of slashes
        return found[-1]

    content = usage.model_dump(by_alias=True)
    for stage in content["stages"].values():
        fields = load_stage(stage["uses"]).model_fields
        stage["with"] = {
            name: reduced(value, name in fields and "Path" in str(fields[name].annotation))
            for name, value in stage["with"].items()
        }
    return Usage.model_validate(content), tuple(dict.fromkeys(found))


def _is_path(text: str) -> bool:
    local = text.startswith("~") or Path(text).is_absolute() or bool(PureWindowsPath(text).drive)
    return local or ("/" in text and Path(text).exists())


def _check_name(repository: str) -> None:
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        if not re.fullmatch(r"[^/\s]+/[^/\s]+", repository):
            raise ManifestError(f"{repository!r} is no name on the Hugging Face hub: give owner/name")
        validate_repo_id(repository)
    except HFValidationError as error:
        raise ManifestError(f"{repository!r} is no name on the Hugging Face hub: {error}") from error


def _described(file: Path) -> tuple[str, int, str]:
    with file.open("rb") as opened:
        return file.name, file.stat().st_size, hashlib.file_digest(opened, "sha256").hexdigest()


def _refusal(repository: str, error: Any) -> str:
    code = error.response.status_code
    if code == 401:
        return "the Hugging Face hub does not accept the token: run `hf auth login` again, or set another HF_TOKEN"
    if code == 403:
        owner = repository.partition("/")[0]
        return f"{repository}: the token may not write there: it needs the right to write, and {owner} must be yours"
    return f"{repository}: the Hugging Face hub refuses it: {error}"
