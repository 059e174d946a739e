"""Models of MMPose from configs in JSON, of which nothing runs."""

import json
import warnings
from collections.abc import Container
from pathlib import Path
from typing import Any

from pipeline.errors import StageError

_LEFT_OUT = ("_scope_", "init_cfg", "pretrained", "metainfo")
"""Settings that a trained model does without, and that make MMPose import packages or read files."""


def untrained(path: Path) -> tuple[Any, tuple[int, int]]:
    """The model of a JSON config, and the width and height of its crops. Raises StageError."""
    try:
        with warnings.catch_warnings(action="ignore"):  # about parts that need more than mmcv-lite
            import mmpose.models  # noqa: F401  (puts them into the registries)
            from mmengine import ConfigDict, DefaultScope
            from mmpose.registry import KEYPOINT_CODECS, MODELS
    except Exception as error:  # MMPose checks versions with assert, and parts built for another NumPy raise ValueError
        raise StageError(
            f"estimator: mmpose needs MMPose, which cannot be imported ({error}): docs/mmpose.md says how to install it"
        ) from error
    parts = MODELS.module_dict | MODELS.parent.module_dict | KEYPOINT_CODECS.module_dict
    known = {name for name, part in parts.items() if "distillers" not in part.__module__}  # these run Python configs
    try:
        config = _plain(json.loads(path.read_bytes())["model"], known)
        if config["type"] != "TopdownPoseEstimator":
            raise ValueError(f"{config['type']} is not top-down")
        width, height = config["head"]["decoder"]["input_size"]
        with DefaultScope.overwrite_default_scope("mmpose"):
            return MODELS.build(ConfigDict(config)), (width, height)
    except Exception as error:
        raise StageError(f"{path}: MMPose cannot build this model: {type(error).__name__}: {error}") from error


def _plain(config: Any, known: Container[str]) -> Any:
    """``config`` without ``_LEFT_OUT``. Raises ValueError for a type that is not known: MMPose would import whatever is
    called so, and call it."""
    if isinstance(config, list):
        return [_plain(value, known) for value in config]
    if not isinstance(config, dict):
        return config
    if "type" in config and config["type"] not in known:
        raise ValueError(f"MMPose has no part of models that is called {config['type']}")
    return {name: _plain(value, known) for name, value in config.items() if name not in _LEFT_OUT}
