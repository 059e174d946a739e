"""Networks of images in ONNX files, run by onnxruntime on the CPU or on a GPU."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import StageError

if TYPE_CHECKING:
    import onnx

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # before it is imported: it would report to Microsoft

_CUDA = "CUDAExecutionProvider"
_FOLDER = "session.model_external_initializers_file_folder_path"
"""onnxruntime's option for where the weights of a model are that stand in files of their own."""
_MOST_PIXELS = 2**26
"""A file that takes more at once is broken or malicious."""
_CLOSE = 1e-3
"""How far results of a batch may be from those of single images, relative to the largest."""


def why_no_cuda() -> str | None:
    """Why ONNX models cannot run on a GPU here, or None if they can. Planning asks: it does not import onnxruntime."""
    spec = find_spec("onnxruntime")
    if spec and spec.origin and any((Path(spec.origin).parent / "capi").glob("*onnxruntime_providers_cuda.*")):
        return None
    return (
        f"device: cuda is set, but the installed onnxruntime has no {_CUDA}: pip install onnxruntime-gpu in place of "
        "onnxruntime, or set device: auto"
    )


def read_model(path: Path, option: str) -> onnx.ModelProto:
    """The file's content, without weights that it keeps in a file of their own. option: estimator or detector.

    Raises StageError if it is no ONNX model, or if its weights are in a file that the keys of results do not know.
    """
    try:
        import onnx
        import onnxruntime  # noqa: F401
    except ImportError as error:
        raise StageError(
            f"{option}: onnx needs {error.name}, which is not installed: pip install 'action-pipeline[onnx]'"
        ) from error
    try:
        model = onnx.load(str(path), load_external_data=False)
    except Exception as error:
        raise StageError(f"{path} cannot be read as an ONNX model: {error}") from error
    beside = {f"{path.name}.data", f"{path.name}_data", path.with_suffix(".bin").name}
    for other in sorted(set(_weight_files(model.graph)) - beside):
        raise StageError(
            f"{path} keeps its weights in {other!r}, and only {path.name}.data beside it is looked at: write it again "
            f"with onnx.save(onnx.load(PATH), PATH, save_as_external_data=True, location={path.name + '.data'!r})"
        )
    return model


class OnnxNetwork:
    """A network with images B,3,h,w as its one input. On the CPU it takes one thread: there is a worker per core."""

    def __init__(
        self, model: onnx.ModelProto, path: Path, device: str, open_size: tuple[int, int] | None, batches: bool
    ) -> None:
        """Make it ready to run.

        device: "cuda" means the CPU where onnxruntime has not been built for GPUs.
        open_size: height and width of images for a file that takes any.
        batches: whether more images at once are of use than the file fixes, if it fixes their number.
        """
        parameters = {weight.name for weight in model.graph.initializer}
        inputs = [value for value in model.graph.input if value.name not in parameters]
        if len(inputs) != 1 or len(_shape(inputs[0])) != 4:
            raise StageError(f"{path} is not a network of images: it needs one input B,3,h,w")
        count, channels, height, width = _shape(inputs[0])
        if channels != 3:
            raise StageError(f"{path} takes {channels} channels, not the 3 of an RGB image")
        self.path = path
        self.names = [output.name for output in model.graph.output][:2]
        """The outputs that it computes."""
        self.own_size = (height, width) if height and width else None
        """Height and width of images, if the file fixes them."""
        size = self.own_size or open_size
        if size is None:
            raise StageError(f"{path} takes crops of any size: choose one with input_size: [height, width]")
        if max(count, 1) * size[0] * size[1] > _MOST_PIXELS:
            raise StageError(f"{path} takes {max(count, 1)} images of {size[0]} x {size[1]} at once: too large")
        self.size = size
        self.batch = count or None
        """How many images it takes at once; None: any number."""
        self._input = inputs[0].name
        self._number = _number_type(inputs[0], path)
        self._session = _started(model, path, device)
        if self.batch and batches:
            self._take_any_number(model, device)

    def __call__(self, images_B3HW: np.ndarray) -> list[np.ndarray]:
        """The outputs ``names``, floats as float32."""
        step = self.batch or len(images_B3HW)
        parts = []
        for start in range(0, len(images_B3HW), step):
            images = images_B3HW[start : start + step]
            missing = np.zeros((step - len(images), *images.shape[1:]), images.dtype)
            parts.append([output[: len(images)] for output in self._run(np.concatenate([images, missing]))])
        return parts[0] if len(parts) == 1 else [np.concatenate(outputs) for outputs in zip(*parts, strict=True)]

    def _run(self, images_B3HW: np.ndarray) -> list[np.ndarray]:
        outputs = self._session.run(self.names, {self._input: images_B3HW.astype(self._number, copy=False)})
        return [output.astype(np.float32, copy=False) if output.dtype.kind == "f" else output for output in outputs]

    def _take_any_number(self, model: onnx.ModelProto, device: str) -> None:
        """Ignore how many images the file fixes, unless its operations depend on it."""
        import onnx

        assert self.batch
        free = onnx.ModelProto()
        free.CopyFrom(model)
        del free.graph.value_info[:]  # shapes between input and output
        for value in (*free.graph.input, *free.graph.output):
            for first in value.type.tensor_type.shape.dim[:1]:
                first.dim_param = "batch"
        images = np.random.default_rng(0).normal(0, 1, (self.batch + 1, 3, *self.size)).astype(np.float32)
        expected, before = self(images), (self._session, self.batch)
        try:
            self._session, self.batch = _started(free, self.path, device), None
            same = all(map(_near, self._run(images), expected))
        except Exception:  # of many kinds: onnxruntime's own, or a StageError
            same = False
        if not same:
            self._session, self.batch = before


def _started(model: onnx.ModelProto, path: Path, device: str) -> Any:
    """onnxruntime's session."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    options.add_session_config_entry(_FOLDER, str(path.resolve().parent))
    providers = ["CPUExecutionProvider"]
    if device.startswith("cuda") and _CUDA in onnxruntime.get_available_providers():
        providers.insert(0, _CUDA)
        if hasattr(onnxruntime, "preload_dlls"):
            onnxruntime.preload_dlls()  # CUDA's libraries that torch has installed
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=providers)
    except Exception as error:
        raise StageError(f"{path} cannot be run: {error}") from error
    if providers[0] not in session.get_providers():
        raise StageError(
            "onnxruntime cannot use the GPU, probably for want of CUDA's libraries in the versions that it needs (its "
            "own messages say which): install them, or set device: cpu"
        )
    return session


def _near(a: np.ndarray, b: np.ndarray) -> bool:
    return a.shape == b.shape and np.allclose(a, b, rtol=0, atol=_CLOSE * max(1e-6, float(np.abs(b).max(initial=0))))


def _shape(value: onnx.ValueInfoProto) -> list[int]:
    """Sizes of a tensor's dimensions; 0 where the file leaves one open."""
    return [dim.dim_value for dim in value.type.tensor_type.shape.dim]


def _number_type(value: onnx.ValueInfoProto, path: Path) -> np.dtype:
    """What the numbers of an input are: float32, float16 or uint8."""
    from onnx.helper import tensor_dtype_to_np_dtype

    number = np.dtype(tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type))
    if number not in (np.float32, np.float16, np.uint8):
        raise StageError(f"{path} takes images of {number}, which are not supported: export it with float32")
    return number


def _weight_files(graph: onnx.GraphProto) -> Iterator[str]:
    """The files that weights are in, as the graph and those inside it name them."""
    constants = [part.t for node in graph.node for part in node.attribute if part.HasField("t")]
    for tensor in (*graph.initializer, *constants):
        yield from (entry.value for entry in tensor.external_data if entry.key == "location")
    for node in graph.node:
        for part in node.attribute:
            for inner in (part.g, *part.graphs) if part.HasField("g") else part.graphs:
                yield from _weight_files(inner)
