"""Recognition of new videos: a manifest derived from what a model's folder says about its use.

The source is a folder of videos, and a table of recognitions takes the place of evaluation and report. The stages in
between, from decoding to prediction, are as they were in training. The manifest is run like any other: it resumes, its
results are kept, and failures are counted.
"""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pipeline.errors import ManifestError
from pipeline.layers import override
from pipeline.manifest import Manifest, load_resolved, manifest_from_dict
from pipeline.registry import load_stage
from pipeline.runs import MANIFEST
from recognizer.config_file import CONFIG_FILE, read_config
from stages.cache.people import CachePeople
from stages.commands.model_folder import model_folder
from stages.commands.model_usage import refuse_own_code, run_of, usage_in
from stages.commands.trained_run import MODEL
from stages.places import address_of, url_of
from stages.tables import FRAMES, SHARDS, SKELETONS

PEOPLE = 10
"""The most people that are told apart in a window, unless the model's own stage keeps more."""

EMPTY: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True)
class Windows:
    """How long videos are split. Seconds; None: as the default says.

    window: by default the length of the clips that the model was trained on; 0: every video is one clip.
    stride: from the start of one window to that of the next; by default half a window.
    settled: files that have changed within so many seconds are not listed yet.
    """

    window: float | None = None
    stride: float | None = None
    settled: float = 0.0


def recognition_manifest(
    videos: Path,
    model: str,
    out: Path | None,
    windows: Windows = Windows(),
    recognitions: Mapping[str, Any] = EMPTY,
    settings: Sequence[str] = (),
    per_person: bool = False,
) -> Manifest:
    """The manifest that recognizes a video, or the videos in a folder.

    model: a run, one variant of it (``runs/NAME/variants/modality=rgb``), or a model's folder. out: the new run's
    folder; None where the manifest is not run. recognitions: parameters of the stage of that name; ``min_seconds`` that
    is None or missing is half a window. settings: like ``pose.batch=4``. per_person: whether each person is recognized
    in a crop of their own.
    """
    folder = model_folder(model)
    usage = usage_in(folder)
    refuse_own_code(folder, usage, settings)
    if not usage.reads_videos:
        raise ManifestError(
            f"{folder}: this model was trained on skeleton files alone, by a manifest that decodes no videos: to "
            "recognize videos, train with the stages decode and pose"
        )
    if out is not None:
        if (url := url_of(out)) is not None:
            raise ManifestError(f"--out: {url} is a URL: give a folder, and copy it there afterwards")
        _recognized_in(out)
    window = _seconds_of_clips(folder) if windows.window is None else windows.window
    spans = {"window": window or None, "stride": windows.stride, "settled": windows.settled or None}
    spans = {name: seconds for name, seconds in spans.items() if seconds is not None}
    place = (Path("recognition") if out is None else out).absolute()
    root = address_of(videos)
    if ".." in Path(root).parts:  # pages and files for other programs call the folder by its name
        root = str(Path(root).resolve())
    source = {"root": root, "leave_out": str(place), **spans}
    stages: dict[str, Any] = {usage.source: {"uses": "videos", "with": source}}
    called = {usage.model: f"{usage.model}-{MODEL}"}  # it does not train
    stages[called[usage.model]] = {"uses": "pretrained", "with": {"path": str(folder.absolute())}}
    seen = {}
    for name, stage in usage.stages.items():
        needs = [called.get(need, need) for need in stage.needs]
        stages[name] = {"uses": stage.uses, "needs": needs, "with": stage.parameters}
        seen[load_stage(stage.uses).makes.name] = name
    if per_person:
        _see_each_person(stages, seen, usage.predict, folder)
    stages[usage.predict]["with"] = {**stages[usage.predict]["with"], "split": None}
    needs = [usage.predict, *(seen[table.name] for table in (FRAMES, SKELETONS) if table.name in seen)]
    folders = {"root": root, "out": str(place)}
    shortest = {"min_seconds": round(window / 2, 3)} if window else {}
    given = {name: value for name, value in recognitions.items() if value is not None}
    stages["recognitions"] = {"uses": "recognitions", "needs": needs, "with": {**shortest, **given, **folders}}
    resolved = {
        "name": place.name,
        "store": _store(folder),
        "runs": str(place.parent),
        "partition": usage.partition,
        "max_failed": 1.0,  # failures are listed, and all other videos are recognized
        "stages": stages,
    }
    for option in settings:
        override(resolved, {}, option, ("store", "partition"))
    return manifest_from_dict(resolved, "recognize")


def _see_each_person(stages: dict[str, Any], seen: Mapping[str, str], predict: str, folder: Path) -> None:
    """Let the stages from the skeletons on look at each person instead of at everybody at once.

    seen: the stage that makes each table.
    """
    if SKELETONS.name not in seen:
        raise ManifestError(
            f"{folder}: this model was trained without skeletons, which --per-person needs to tell people apart"
        )
    cache = stages[seen[SHARDS.name]]
    kept = {name: value for name, value in cache["with"].items() if name in CachePeople.model_fields}
    cache["with"] = kept | {"neighbors": 0 if _config(folder).get("persons") == 1 else 1}
    cache["uses"], cache["needs"] = "cache_people", [seen[FRAMES.name], seen[SKELETONS.name]]
    stages[predict]["uses"] = "predict_people"
    pose = stages[seen[SKELETONS.name]]["with"]
    persons = pose.get("persons")
    pose["persons"] = max(PEOPLE, persons) if isinstance(persons, int) else PEOPLE


def _store(folder: Path) -> str:
    """Where the run that trained the model keeps its results; the default of manifests if it is not here."""
    found = run_of(folder)
    return load_resolved(found[0] / MANIFEST).store if found else "store"


@contextmanager
def alone_in(out: Path) -> Iterator[None]:
    """Keep others from recognizing into the same folder. Raises ManifestError if one on this machine does already."""
    with ExitStack() as held:
        try:
            out.mkdir(parents=True, exist_ok=True)
            place = os.open(out, os.O_RDONLY)
            held.callback(os.close, place)
            fcntl.flock(place, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            text = f"{out}: another recognition is at work there: wait for its end, or give another folder as --out"
            raise ManifestError(text) from None
        except OSError:  # of a folder that cannot be written, as the run will say, or of a network without locks
            pass
        yield


def what_is_replaced(manifest: Manifest, out: Path) -> str | None:
    """A line about recognitions of other videos in the folder of a new recognition, if there are any."""
    (now,) = (spec.parameters["root"] for spec in manifest.stages if spec.name == "recognitions")
    before = _recognized_in(out)
    if before in (None, now):
        return None
    return f"note: {out} holds recognitions of {before}: they are replaced by those of {now}"


def _recognized_in(out: Path) -> str | None:
    """The video or the folder of which a folder holds recognitions; None if there are none. Raises ManifestError if
    they would overwrite the files of another run."""
    try:
        return str(json.loads((out / MANIFEST).read_bytes())["stages"]["recognitions"]["with"]["root"])
    except FileNotFoundError:
        return None
    except NotADirectoryError:
        raise ManifestError(f"{out}: is a file; give a folder as --out") from None
    except (OSError, ValueError, LookupError, TypeError):
        raise ManifestError(f"{out}: is the folder of another run: give another folder as --out") from None


def _seconds_of_clips(weights: Path) -> float | None:
    """The length of the clips that a model was trained on; None if its config does not say."""
    try:
        return round(float(_preprocessing(weights)["seconds"]), 1) or None
    except (ValueError, LookupError, TypeError):
        return None


def _preprocessing(weights: Path) -> dict[str, Any]:
    """What a model's config says about its clips."""
    found = _config(weights).get("preprocessing")
    return found if isinstance(found, dict) else {}


def _config(weights: Path) -> dict[str, Any]:
    """A model's config; empty if it is damaged, which the stage that loads it will report."""
    try:
        found = json.loads((weights / CONFIG_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def data_of(model: str) -> str | None:
    """What a model's config says about its training data; None if it says nothing."""
    data = _preprocessing(model_folder(model)).get("data")
    return str(data) if data else None


def least_score(model: str, share: float) -> float:
    """The score from which on a share of the model's validation clips was right. Raises ManifestError."""
    from recognizer.calibration import min_score_for

    folder = model_folder(model)
    try:
        return min_score_for(read_config((folder / CONFIG_FILE).read_bytes()), share)
    except ValueError as error:
        raise ManifestError(f"{folder}: {error}") from None
