"""The recognizer as a whole: from a clip's frames and keypoints to logits, and to files and back."""

import os
from pathlib import Path

import safetensors.torch
import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from torch import Tensor, nn

from recognizer.backbone import MC3
from recognizer.block import Tokens
from recognizer.config import RecognizerConfig
from recognizer.head import Head
from recognizer.joint_tokens import JointTokens, fourier_map
from recognizer.modal_tokens import ModalTokens
from recognizer.position import GridPosition

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"


class Recognizer(nn.Module):
    """The cross-modal transformer of Fig. 2. Made by ``build_recognizer``, which alone knows the sizes of the parts.

    backbone, position: None in a network for pose alone. joint_tokens: None in a network for RGB alone.
    modal_tokens: None in a network without any (Table 5).
    """

    mean_3111: Tensor
    std_3111: Tensor

    def __init__(
        self,
        config: RecognizerConfig,
        backbone: MC3 | None,
        position: GridPosition | None,
        joint_tokens: JointTokens | None,
        modal_tokens: ModalTokens | None,
        blocks: nn.ModuleList,
        head: Head,
    ) -> None:
        super().__init__()
        self.config = config
        self.backbone = backbone
        self.position = position
        self.joint_tokens = joint_tokens
        self.modal_tokens = modal_tokens
        self.blocks = blocks
        self.head = head
        self.register_buffer("mean_3111", torch.tensor(config.mean).reshape(3, 1, 1, 1), persistent=False)
        self.register_buffer("std_3111", torch.tensor(config.std).reshape(3, 1, 1, 1), persistent=False)

    def forward(self, frames: Tensor | None, keypoints: Tensor | None) -> Tensor:
        """Return logits, B,classes, in the order of ``config.class_names``.

        frames: B,3,T,H,W, red, green and blue in [0, 1]; None for a network of pose alone.
        keypoints: B,M,T,R,3, x and y relative to the frame and score, 0 where a joint or person is missing; None for
        a network of RGB alone.
        T, H, W and M need not be those of the configuration. Raises ValueError where the two do not fit the network
        or each other.
        """
        z_BTHWD = p_BTJD = present_BTMR = features = None
        if self.backbone is not None and self.position is not None:
            frames = _checked(frames, "frames", "B,3,T,H,W", 1)
            clips, length = frames.shape[0], frames.shape[2]
            mean = frames.mean(dim=2, keepdim=True) if self.config.frame_motion else self.mean_3111
            features, fb_BDTHW = self.backbone((frames - mean) / self.std_3111)
            z_BTHWD = fb_BDTHW.movedim(1, -1)
            z_BTHWD = z_BTHWD + self.position(*z_BTHWD.shape[1:4])
        if self.joint_tokens is not None:
            keypoints = _checked(keypoints, "keypoints", "B,M,T,R,3", 4)
            if features is None:
                clips, length = keypoints.shape[0], keypoints.shape[2]
                side = self.config.size // 2
                features = fourier_map(self.config.width, side, side, keypoints.device)
            elif (clips, length) != (keypoints.shape[0], keypoints.shape[2]):
                raise ValueError(
                    f"keypoints {tuple(keypoints.shape)} are not of these {clips} clips of {length} frames"
                )
            p_BTJD, present_BTMR = self.joint_tokens(features, keypoints)
        modal = {} if self.modal_tokens is None else self.modal_tokens(clips, length)
        tokens = Tokens(z_BTHWD, p_BTJD, present_BTMR, modal)
        for block in self.blocks:
            tokens = block(tokens)
        return self.head(tokens)

    def serialize(self) -> tuple[str, bytes]:
        """Return config.json's text and model.safetensors' bytes: the same for the same weights."""
        weights = {name: tensor.detach().cpu().contiguous() for name, tensor in sorted(self.state_dict().items())}
        return self.config.model_dump_json(indent=2), safetensors.torch.save(weights)

    @classmethod
    def deserialize(cls, config_json: str, weights: bytes) -> "Recognizer":
        """Return the recognizer that ``serialize`` took apart, on the CPU and in evaluation mode.

        Raises ValueError where the two are damaged or do not belong together.
        """
        from recognizer.build import build_recognizer

        try:
            config = RecognizerConfig.model_validate_json(config_json)
        except ValidationError as error:
            raise ValueError(f"not a recognizer's {CONFIG_FILE}: {error}") from error
        recognizer = build_recognizer(config)
        try:
            recognizer.load_state_dict(safetensors.torch.load(weights))
        except SafetensorError as error:
            raise ValueError(f"not a {WEIGHTS_FILE}, or a damaged one: {error}") from error
        except RuntimeError as error:
            raise ValueError(f"{WEIGHTS_FILE} does not belong to this {CONFIG_FILE}: {error}") from error
        return recognizer.eval()

    def save_pretrained(self, folder: str | Path) -> None:
        """Write config.json and model.safetensors, each whole or not at all."""
        config_json, weights = self.serialize()
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in ((WEIGHTS_FILE, weights), (CONFIG_FILE, config_json.encode())):
            partial = folder / f".{name}.{os.getpid()}"
            partial.write_bytes(content)
            partial.replace(folder / name)

    @classmethod
    def from_pretrained(cls, source: str | Path) -> "Recognizer":
        """Return the recognizer saved in a folder or in a repository of the Hugging Face hub (``owner/name``).

        Raises FileNotFoundError where there is none, and ValueError, naming the place, where the files are damaged.
        """
        paths = [Path(source) / name for name in (CONFIG_FILE, WEIGHTS_FILE)]
        if not Path(source).is_dir():
            paths = [_download(str(source), path.name) for path in paths]
        for path in paths:
            if not path.is_file():
                raise FileNotFoundError(
                    f"{path.parent} holds no {path.name}: it is not the folder of a saved recognizer"
                )
        try:
            return cls.deserialize(paths[0].read_text(encoding="utf-8"), paths[1].read_bytes())
        except ValueError as error:
            raise ValueError(f"{source}: {error}") from error


def _checked(tensor: Tensor | None, name: str, dims: str, channels: int) -> Tensor:
    """The tensor, if it is there and has 3 channels where ``dims`` says so."""
    if tensor is None:
        raise ValueError(f"this recognizer needs {name} ({dims}), but was given none")
    if tensor.ndim != 5 or tensor.shape[channels] != 3:
        raise ValueError(f"{name} must be {dims}, not {tuple(tensor.shape)}")
    return tensor


def _download(repository: str, name: str) -> Path:
    """A file of a hub repository, in the hub's cache."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(hf_hub_download(repository, name))
    except (HFValidationError, HfHubHTTPError, LocalEntryNotFoundError) as error:
        raise FileNotFoundError(
            f"{repository} is no folder, and {name} cannot be had from a hub repository of that name: {error}"
        ) from error
