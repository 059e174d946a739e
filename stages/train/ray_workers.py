"""Training in several processes, here or on a cluster: ``stages.train.loop.fit`` in the workers of Ray Train.

The workers leave each network's checkpoint of the last epoch in the training's folder or, from other machines, in a
store at a URL. From it ``fit`` then returns at once. So an interrupted training may also resume with another number of
processes.
"""

import hashlib
import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import ray
import ray.train
import torch
from ray.train.torch import TorchTrainer
from ray.util.queue import Empty, Queue

from pipeline.errors import PipelineError, StageError
from pipeline.ray_session import queue_here
from pipeline.stage_inputs import StageContext, TableFiles
from recognizer.config import RecognizerConfig
from stages.cache.shards import Shards
from stages.train.batches import reading_threads
from stages.train.data_parallel import DataParallelGroup
from stages.train.ensemble import fit_networks
from stages.train.labels import LabeledClips
from stages.train.recipe import Recipe

FAILURES = 3
"""Consecutive times that workers may die or fail without a new checkpoint in between."""

NOTICED = 20.0
"""Seconds after which Ray knows that a machine is lost, whose processors it would wait for otherwise."""


class Assignment(NamedTuple):
    """Everything that a worker on any machine needs to know."""

    recipe: Recipe
    config: RecognizerConfig
    files: TableFiles
    clips: LabeledClips
    working_folder: Path
    machine: str
    """Ray's id of the machine that has ``folder``."""
    folder: Path
    """The training's folder for checkpoints. Workers on other machines share it, or have what the store keeps."""
    progress_queue: Queue
    """Progress from the main worker to the process that the user started."""
    keep: Callable[[Path], None]
    restore: Callable[[Path], bool]
    place: Callable[[Path], str]
    """As in ``StageContext``."""


def fit_in_workers(
    recipe: Recipe, config: RecognizerConfig, files: TableFiles, clips: LabeledClips, context: StageContext
) -> None:
    """Train in ``recipe.data_parallel`` processes, until ``context.folder`` holds the checkpoint of the last epoch.

    Ray must be running. If a worker dies, all start again from the last checkpoint.
    Raises StageError if the cluster is too small or the training fails.
    """
    gpu = recipe.device != "cpu" and (recipe.device == "cuda" or _resource("GPU") > 0)
    progress_queue, machine = queue_here(), ray.get_runtime_context().get_node_id()
    recipe = recipe.model_copy(update={"device": "cuda" if gpu else "cpu"})
    folder = context.folder.absolute()
    own = context.keep, context.restore, context.place
    assignment = Assignment(recipe, config, files, clips, Path.cwd(), machine, folder, progress_queue, *own)
    failures, reached = 0, _reached(folder)
    while True:
        error = _fit_once(assignment, gpu, context)
        context.restore(folder)
        if error is None:
            break
        failures, reached = failures + 1 if _reached(folder) == reached else 1, _reached(folder)
        if failures < FAILURES and len(ray.nodes()) > 1:
            time.sleep(NOTICED)
        if failures == FAILURES:
            raise StageError(
                f"training processes died or failed {failures} times at the same place (out of memory? then try a "
                f"smaller batch, or checkpoint_activations: true): {_summary(error)}"
            ) from error
    progress_queue.shutdown()


def _fit_once(assignment: Assignment, gpu: bool, context: StageContext) -> Exception | None:
    """Run the workers until all end. Returns what Ray Train raises if one dies or fails, else None.

    Raises StageError if starting again would not help.
    """
    wanted, kind = assignment.recipe.data_parallel, "GPU" if gpu else "CPU"
    if (has := _resource(kind)) < wanted:
        raise StageError(f"data_parallel: {wanted} needs as many {kind}s; Ray has {has:g} here: set a smaller number")
    with TemporaryDirectory() as own:
        return _fit_with(_trainer(assignment, wanted, gpu, own), assignment.progress_queue, context)


def _trainer(assignment: Assignment, wanted: int, gpu: bool, own: str) -> TorchTrainer:
    """own: a folder for Ray Train's own notes, of which nothing is needed later."""
    return TorchTrainer(
        _work,
        train_loop_config={"assignment": assignment},
        # One CPU per worker, however many threads it has, so that two fit on any machine with two cores; none beside a
        # GPU, as there are machines with fewer cores than GPUs.
        scaling_config=ray.train.ScalingConfig(
            num_workers=wanted, use_gpu=gpu, resources_per_worker={"CPU": int(not gpu), "GPU": int(gpu)}
        ),
        run_config=ray.train.RunConfig(name="ray", storage_path=own),
    )


def _fit_with(trainer: TorchTrainer, progress_queue: Queue, context: StageContext) -> Exception | None:
    errors: list[Exception] = []

    def run() -> None:
        try:
            trainer.fit()
        except Exception as error:
            errors.append(error)

    # In a thread: in the main thread, Ray Train would catch Ctrl-C.
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    while thread.is_alive() or not progress_queue.empty():
        try:
            done, total, figures = progress_queue.get(timeout=0.5)
        except Empty:
            continue
        context.progress(done, total, **figures)
    for failure in _failures(errors[0]) if errors else ():
        if isinstance(failure, PipelineError):
            raise StageError(str(failure)) from errors[0]
    return errors[0] if errors else None


def _failures(error: Exception) -> list[Exception]:
    """What each worker raised, or else what Ray raised."""
    return list(getattr(error, "worker_failures", {}).values()) or [error]


def _summary(error: Exception) -> str:
    """The first line of each different failure: when one worker dies, the others fail too."""
    firsts = ((type(failure).__name__, str(failure).splitlines()[:1]) for failure in _failures(error))
    return "; ".join(sorted({": ".join([name, *line]) for name, line in firsts}))


def _work(loop_config: dict[str, Any]) -> None:
    """Run by each worker."""
    assignment = loop_config["assignment"]
    if assignment.working_folder.is_dir():
        os.chdir(assignment.working_folder)  # paths of the store may be relative to it
    folder = assignment.folder
    with TemporaryDirectory() as own:
        if assignment.machine != ray.get_runtime_context().get_node_id() and assignment.restore(Path(own)):
            folder = Path(own)
        if not folder.is_dir():
            raise StageError(
                f"{folder} is not on {socket.gethostname()}: for a cluster, set runs to a folder that all machines "
                "share, or store to a URL"
            )
        _fit_here(assignment, folder)


def _fit_here(assignment: Assignment, folder: Path) -> None:
    recipe, progress_queue = assignment.recipe, assignment.progress_queue
    context = ray.train.get_context()
    group = DataParallelGroup(context.get_world_rank(), context.get_world_size())
    share = context.get_local_world_size()
    threads = recipe.threads or max(1, (os.cpu_count() or 1) // share)
    workers = recipe.workers or max(1, reading_threads(torch.device(recipe.device)) // share)

    def report(done: float, total: float, /, **figures: Any) -> None:
        progress_queue.put((done, total, figures))

    config = assignment.config
    fit_networks(
        recipe.model_copy(update={"threads": threads, "workers": workers}),
        config,
        Shards(assignment.files, config.modality, config.persons),
        assignment.clips,
        StageContext(folder, report, assignment.keep, assignment.restore, assignment.place),
        group,
    )


def _reached(folder: Path) -> list[bytes]:
    """A digest of each checkpoint in a folder."""
    return [hashlib.blake2b(path.read_bytes()).digest() for path in sorted(folder.glob("*.safetensors"))]


def _resource(name: str) -> float:
    return float(ray.cluster_resources().get(name, 0))
