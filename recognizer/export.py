"""A recognizer as one file for other software: ONNX, TorchScript, or a program of torch.export.

The file computes the same logits as the recognizer, for any number of clips, and describes itself in JSON: in ONNX's
metadata under ``recognizer``, elsewhere in the extra file ``recognizer.json``. docs/export.md shows how to use it.
"""

import json
import warnings
from copy import deepcopy
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram
from torch.fx import GraphModule

from recognizer.config import RecognizerConfig
from recognizer.model import Recognizer
from recognizer.skeletons import layout

FORMATS = {"onnx": ".onnx", "torchscript": ".pt", "torch-export": ".pt2"}
"""The formats, each with the extension of its files."""

DESCRIPTION = "recognizer"
"""Where the description is: a key of ONNX's metadata, and with ``.json`` the name of an extra file."""

OPSET = 20
"""The first version of ONNX's operators that samples in three dimensions."""

VALUES = "divided by the temperature, softmax gives probabilities"


def export(recognizer: Recognizer, file: str | Path, form: str, frames: int | None) -> None:
    """Write the recognizer to a file.

    form: one of ``FORMATS``.
    frames: T of the clips that the file will take; None: any T from ``fewest_frames`` on.

    Raises ValueError for an unknown format or too few frames, and ImportError, which says what to install.
    """
    if form not in FORMATS:
        raise ValueError(f"no format is called {form!r}; there are: {', '.join(FORMATS)}")
    if frames is not None and frames < 1:
        raise ValueError(f"frames: at least 1 is needed, not {frames}")
    if form == "onnx":
        _needs_onnx()
    recognizer = deepcopy(recognizer).cpu().float().eval()
    config = recognizer.config
    description = json.dumps(describe(config, frames), ensure_ascii=False)
    extra = {f"{DESCRIPTION}.json": description}
    network, clips = _network(recognizer), _some_clips(config, frames)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of constants that are meant, and of formats that PyTorch has newer ones for
        if form == "torchscript":
            traced = torch.jit.trace(network, tuple(clips.values()), check_trace=False)
            _save_torchscript(traced, file, extra)
            return
        program = torch.export.export(network, tuple(clips.values()), dynamic_shapes=_any_number(config, clips, frames))
        for module in program.graph_module.modules():
            for node in module.graph.nodes if isinstance(module, GraphModule) else ():
                node.meta.pop("stack_trace", None)  # lines of this machine's source files
        if form == "torch-export":
            whole = BytesIO()  # PyTorch ends the process where it cannot write to a file
            torch.export.save(program, whole, extra_files=extra)
            Path(file).write_bytes(whole.getbuffer())
        else:
            _save_onnx(program, list(clips), file, description)


def fewest_frames(config: RecognizerConfig) -> int:
    """The fewest frames of a file that takes any number of them: more than a window, and than the token search's
    kernel."""
    kernel = config.search_kernel if config.uses_rgb and config.deformable_attention else 1
    window = config.window_frames if config.temporal_attention else 1
    return max(kernel, window) + 1


def describe(config: RecognizerConfig, frames: int | None) -> dict[str, Any]:
    """What one must know to use the file, as JSON values."""
    length = "frames" if frames is None else frames
    inputs: dict[str, Any] = {}
    if config.uses_rgb:
        shape = ["batch", 3, length, config.size, config.size]
        meaning = "float32: red, green and blue of each frame in [0, 1]; the network itself normalizes them"
        inputs["frames"] = {"shape": shape, "values": meaning}
    if config.uses_pose:
        joints = layout(config.layout)
        shape = ["batch", config.persons, length, joints.count, 3]
        meaning = (
            "float32: x and y of each joint relative to the frame, from 0 at the left and top edge to 1, and its "
            "score, 0 where a joint or person is missing"
        )
        inputs["keypoints"] = {"shape": shape, "values": meaning, "layout": joints.definition()}
    return {
        "inputs": inputs,
        "output": {"logits": {"shape": ["batch", len(config.class_names)], "values": VALUES}},
        "class_names": list(config.class_names),
        "frames": {"trained": config.frames, "fewest": frames or fewest_frames(config)},
        "sampling": "each frame is the middle one of as many equal segments of the clip",
        "temperature": config.temperature,
        "preprocessing": config.preprocessing,
    }


class _OfFrames(nn.Module):
    def __init__(self, recognizer: Recognizer) -> None:
        super().__init__()
        self.recognizer = recognizer

    def forward(self, frames: Tensor) -> Tensor:
        return self.recognizer(frames, None)


class _OfKeypoints(nn.Module):
    def __init__(self, recognizer: Recognizer) -> None:
        super().__init__()
        self.recognizer = recognizer

    def forward(self, keypoints: Tensor) -> Tensor:
        return self.recognizer(None, keypoints)


def _network(recognizer: Recognizer) -> nn.Module:
    """The network with those inputs alone that it uses."""
    if not recognizer.config.uses_pose:
        return _OfFrames(recognizer)
    return recognizer if recognizer.config.uses_rgb else _OfKeypoints(recognizer)


def _some_clips(config: RecognizerConfig, frames: int | None) -> dict[str, Tensor]:
    """Inputs to follow the computation with. Where the number of frames is open it is not that of the training, for
    which nothing is interpolated."""
    if frames is None:
        frames = fewest_frames(config) + 1
        frames += frames == config.frames
    clips = {}
    if config.uses_rgb:
        clips["frames"] = torch.rand(2, 3, frames, config.size, config.size)
    if config.uses_pose:
        clips["keypoints"] = torch.rand(2, config.persons, frames, config.joints, 3)
    return clips


def _any_number(config: RecognizerConfig, clips: dict[str, Tensor], frames: int | None) -> dict[str, dict[int, Any]]:
    """The dimensions that are left open: batch, and the frames if no number is given."""
    open_dims: dict[int, Any] = {0: Dim("batch", min=1)}
    if frames is None:
        open_dims[2] = Dim("frames", min=fewest_frames(config))
    return dict.fromkeys(clips, open_dims)


def _save_torchscript(traced: torch.jit.ScriptModule, file: str | Path, extra: dict[str, str]) -> None:
    """Save all but the entries for debugging, which name this machine's source files."""
    whole = BytesIO()
    torch.jit.save(traced, whole, _extra_files=extra)
    with ZipFile(whole) as entries, ZipFile(file, "w") as kept:
        for entry in entries.infolist():
            if not entry.filename.endswith(".debug_pkl"):
                kept.writestr(entry, entries.read(entry))


def _needs_onnx() -> None:
    try:
        import onnx  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"the format onnx needs {error.name}, which is not installed: pip install 'action-pipeline[onnx]'"
        ) from error


def _save_onnx(program: ExportedProgram, inputs: list[str], file: str | Path, description: str) -> None:
    from onnxscript.optimizer import fold_constants, remove_unused_nodes

    converted = torch.onnx.export(
        program, input_names=inputs, output_names=["logits"], opset_version=OPSET, optimize=False, verbose=False
    )  # what runs the file optimizes it, too, and in a fraction of the time
    assert converted is not None
    model = converted.model
    fold_constants(model)
    remove_unused_nodes(model)
    for node in model.graph:
        node.metadata_props.clear()  # as long as the network itself
    model.metadata_props.clear()
    model.metadata_props[DESCRIPTION] = description
    converted.save(str(file))
