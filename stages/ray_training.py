"""Training in several processes, here or on a cluster: ``stages.training.fit`` in the workers of Ray Train.

What comes back is the checkpoint in the training's folder, from which ``fit`` returns at once; so a training may also
go on with another number of processes than it began with.
"""

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import ray
import ray.train
from ray.train.torch import TorchTrainer
from ray.util.queue import Empty, Queue

from pipeline.errors import PipelineError, StageError
from pipeline.ray_session import start_ray
from pipeline.stage import TableFiles, Work
from recognizer.config import RecognizerConfig
from stages.labels import LabeledClips
from stages.parallel import Team
from stages.shards import Shards
from stages.training import CHECKPOINT, fit

if TYPE_CHECKING:
    from stages.train import Train

DEATHS = 3
"""Deaths of a worker without a checkpoint in between after which the training ends."""


class Assignment(NamedTuple):
    """All that a worker on any machine needs to know."""

    recipe: "Train"
    config: RecognizerConfig
    files: TableFiles
    clips: LabeledClips
    working_folder: Path
    folder: Path
    """Of the training, for its checkpoints; seen by all workers."""
    news: Queue
    """From the first worker to the process that a person started."""


def fit_in_workers(
    recipe: "Train", config: RecognizerConfig, files: TableFiles, clips: LabeledClips, work: Work
) -> None:
    """Train in ``recipe.data_parallel`` processes, until the checkpoint in ``work.folder`` is that of the last epoch.

    A worker that dies is replaced, and all go on from the last checkpoint.
    Raises StageError where the cluster is too small, and where the training fails.
    """
    own = start_ray()
    try:
        gpu = recipe.device != "cpu" and (recipe.device == "cuda" or _resource("GPU") > 0)
        kind = "GPU" if gpu else "CPU"
        if (has := _resource(kind)) < recipe.data_parallel:
            raise StageError(
                f"data_parallel: {recipe.data_parallel} needs as many {kind}s; Ray has {has:g} here: set a smaller one"
            )
        news = Queue(actor_options={"num_cpus": 0})
        recipe = recipe.model_copy(update={"device": "cuda" if gpu else "cpu"})
        folder = work.folder.absolute()
        assignment = Assignment(recipe, config, files, clips, Path.cwd(), folder, news)
        deaths, reached = 0, _moment(folder)
        while (error := _fit_once(assignment, gpu, work)) is not None:
            deaths, reached = deaths + 1 if _moment(folder) == reached else 1, _moment(folder)
            if deaths == DEATHS:
                raise StageError(
                    f"a training process died {DEATHS} times at the same place (out of memory?): try a smaller batch "
                    "or data_parallel, or checkpoint_activations: true"
                ) from error
        news.shutdown()
    finally:
        if own:
            ray.shutdown()


def _fit_once(assignment: Assignment, gpu: bool, work: Work) -> Exception | None:
    """Run the workers to their end. Returns the error where one of them died; raises StageError where one failed."""
    trainer = TorchTrainer(
        _work,
        train_loop_config={"assignment": assignment},
        # One CPU each whatever they use, so that they fit beside each other on any machine.
        scaling_config=ray.train.ScalingConfig(
            num_workers=assignment.recipe.data_parallel, use_gpu=gpu, resources_per_worker={"CPU": 1, "GPU": int(gpu)}
        ),
        run_config=ray.train.RunConfig(name="ray", storage_path=str(assignment.folder)),
    )
    errors: list[Exception] = []

    def run() -> None:
        try:
            trainer.fit()
        except Exception as error:
            errors.append(error)

    # In a thread: in the main one Ray Train would keep Ctrl-C for itself.
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    while thread.is_alive() or not assignment.news.empty():
        try:
            done, total, figures = assignment.news.get(timeout=0.5)
        except Empty:
            continue
        work.progress(done, total, **figures)
    return _death(errors[0]) if errors else None


def _death(error: Exception) -> Exception:
    """The error, if it is that of a worker's death; one that a worker raised itself is raised again, in plain words."""
    failures = list(getattr(error, "worker_failures", {}).values())
    for failure in failures:
        if isinstance(failure, PipelineError):
            raise StageError(str(failure)) from error
    # The others fail too when one dies, but only of the dead one Ray speaks itself.
    if any(type(failure).__module__.startswith("ray.") for failure in failures):
        return error
    text = f"{type(failures[0]).__name__}: {failures[0]}" if failures else str(error)
    raise StageError(f"a training process failed: {text}") from error


def _work(loop_config: dict[str, Any]) -> None:
    """What each worker does."""
    recipe, config, files, clips, working_folder, folder, news = loop_config["assignment"]
    if not folder.is_dir():
        raise StageError(
            f"{folder} is not on this machine: for a cluster, set runs to a folder that all machines share"
        )
    if working_folder.is_dir():
        os.chdir(working_folder)  # paths of the store may be relative to it
    context = ray.train.get_context()
    team = Team(context.get_world_rank(), context.get_world_size())
    threads = recipe.threads or max(1, (os.cpu_count() or 1) // context.get_local_world_size())

    def tell(done: float, total: float, /, **figures: Any) -> None:
        if team.leads:
            news.put((done, total, figures))

    shards = Shards(files, config.modality, config.persons)
    fit(recipe.model_copy(update={"threads": threads}), config, shards, clips, Work(folder, tell), team)


def _moment(folder: Path) -> int:
    """When the last checkpoint was written, 0 before the first."""
    path = folder / CHECKPOINT
    return path.stat().st_mtime_ns if path.exists() else 0


def _resource(name: str) -> float:
    return float(ray.cluster_resources().get(name, 0))
