"""Networks that are trained one after another and recognize together.

With few clips a network for frames and skeletons may learn the frames by heart, and recognize less than skeletons alone
do. On the two data sets on which it was tried (docs/results.md), the mean of its probabilities and of those of two
networks for skeletons alone was as good as the better of these, or better.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

from pipeline.stage_inputs import StageContext
from recognizer.config import RecognizerConfig
from recognizer.model import Recognizer
from stages.cache.shards import Shards
from stages.train.data_parallel import DataParallelGroup
from stages.train.labels import LabeledClips
from stages.train.loop import calibrated, fit, initial_model, seed_of, validate
from stages.train.recipe import Recipe
from stages.train.state import History


class Trained(NamedTuple):
    """One network of an ensemble."""

    model: Recognizer
    history: History


def fit_networks(
    recipe: Recipe,
    config: RecognizerConfig,
    shards: Shards,
    clips: LabeledClips,
    context: StageContext,
    group: DataParallelGroup | None = None,
) -> list[Trained]:
    """Train the networks of a recognizer, each as ``fit`` does, from its own checkpoint if there is one.

    Raises StageError, before any is trained, if one of them cannot start from the model that it is to start from.
    """
    for number, network in enumerate(config.networks[1:], start=1):
        initial_model(recipe, network, number)
    trained = []
    for number, network in enumerate(config.networks):
        seed = seed_of(recipe.seed, "network", number) if number else recipe.seed
        own = context._replace(progress=partial(_of_all, context.progress, number, len(config.networks)))
        seen = shards if network.modality == shards.modality else shards.of(network.modality)
        recipe_of_it = recipe.model_copy(update={"seed": seed})
        trained.append(Trained(*fit(recipe_of_it, network, seen, clips, own, group, number)))
    return trained


def together(
    trained: Sequence[Trained], recipe: Recipe, config: RecognizerConfig, shards: Shards, clips: LabeledClips
) -> tuple[Recognizer, History]:
    """The recognizer of the networks that ``fit_networks`` has trained, on the CPU, and the figures of each epoch.

    Those of an ensemble are its first network's. The last epoch has the others' last ones, too, and what the validation
    clips say about the ensemble.
    """
    first, *others = trained
    if not others:
        return first
    weights = first.model.state_dict()
    for i, other in enumerate(others):
        weights |= {f"others.{i}.{name}": tensor for name, tensor in other.model.state_dict().items()}
    model = Recognizer(config)
    model.load_state_dict(weights)
    last = [one.history[-1] | {"modality": one.model.config.modality} for one in trained]
    found = validate(recipe, model, shards, clips)
    history = [*first.history[:-1], first.history[-1] | {"ensemble": {**found.figures, "networks": last}}]
    return calibrated(model.cpu().eval(), found.calibration, history)


def _of_all(
    progress: Callable[..., None], number: int, networks: int, done: float, total: float, /, **figures: Any
) -> None:
    """Report the progress of one network as a part of that of all."""
    if networks > 1:
        figures = {"network": f"{number + 1} of {networks}", **figures}
    progress(done + number * total, networks * total, **figures)
