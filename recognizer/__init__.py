"""The network: cross-modal action recognition from frames and skeletons, in plain PyTorch.

It follows Kim, Ahn and Ko, "Cross-Modal Learning with 3D Deformable Attention for Action Recognition" (ICCV 2023).
Equations and algorithms cited in docstrings are that paper's; docs/paper.md says where this code differs. Start with
``recognizer/model.py`` for the whole network and ``recognizer/build.py`` for the sizes of its parts.

The letters at the end of a tensor's name are its dimensions; docstrings write shapes with the same letters::

    B  clips of a batch          R  joints of a person          D  channels of a token (4C)
    T  frames                    M  persons                     E  attention heads
    H  rows of a grid            J  joints of all persons, M·R  N  tokens (K: those that are keys)
    W  columns of a grid         C  channels of the backbone    S  windows (X: tokens that are in all of them)
    A  steps of the axis that is cut into windows: joints or frames
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recognizer.config import RecognizerConfig
    from recognizer.model import Recognizer

__all__ = ["Recognizer", "RecognizerConfig"]

_HOMES = {"Recognizer": "model", "RecognizerConfig": "config"}


def __getattr__(name: str) -> Any:
    """Import the network on first use, so that joint layouts and configurations are available without PyTorch."""
    if name not in _HOMES:
        raise AttributeError(f"module 'recognizer' has no attribute '{name}'")
    from importlib import import_module

    return getattr(import_module(f"recognizer.{_HOMES[name]}"), name)
