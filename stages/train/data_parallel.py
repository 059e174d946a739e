"""Data-parallel training: several processes, each with its share of every batch, take the same steps as a single one.

Each process divides its loss by the number of clips of the whole step, and gradients are summed over the processes. So
shares may differ in size, and may be empty. Batch normalization takes the statistics of the clips of all processes.
Every process draws the random numbers of dropout and drop path for the whole batch and uses those of its share.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from recognizer.drop_path import DropPath


@dataclass
class DataParallelGroup:
    """The processes of a training, as one of them sees it. By default there is one, which needs no
    ``torch.distributed``."""

    rank: int = 0
    size: int = 1
    _batch: int | None = field(default=None, init=False)

    @property
    def is_main(self) -> bool:
        """Whether this process writes checkpoints and logs."""
        return self.rank == 0

    def bounds(self, clips: int) -> tuple[int, int]:
        """Where this process's share of a batch of so many clips begins and ends."""
        return clips * self.rank // self.size, clips * (self.rank + 1) // self.size

    def share(self, clip_ids: Sequence[str]) -> Sequence[str]:
        """This process's clips of a batch; shares differ by at most one clip."""
        start, stop = self.bounds(len(clip_ids))
        return clip_ids[start:stop]

    def clips_to_read(self, clip_ids: Sequence[str], one_before: bool) -> list[str]:
        """This process's share of a batch, with the clip before it in front where mixup needs one.

        An empty share gets it too, since the shape of an empty batch is taken from a clip.
        """
        start, stop = self.bounds(len(clip_ids))
        extra = [clip_ids[start - 1]] if one_before or start == stop else []
        return [*extra, *clip_ids[start:stop]]

    @contextmanager
    def batch_of(self, clips: int) -> Iterator[None]:
        """Forward and backward passes inside the block are of this process's share of a batch of so many clips."""
        self._batch = clips
        try:
            yield
        finally:
            self._batch = None

    @property
    def batch(self) -> int:
        """Clips of the current batch in all processes together; only inside ``batch_of``."""
        if self._batch is None:
            raise RuntimeError("dropout in data-parallel training needs the size of the batch: use group.batch_of")
        return self._batch

    def all_reduce(self, *values: float) -> tuple[float, ...]:
        """Each value summed over the processes."""
        if self.size == 1:
            return values
        device = "cuda" if dist.get_backend() == "nccl" else "cpu"
        total = torch.tensor(values, dtype=torch.float64, device=device)
        dist.all_reduce(total)
        return tuple(total.tolist())

    def all_gather(self, rows: np.ndarray) -> np.ndarray:
        """The rows of all processes, one after the other."""
        if self.size == 1:
            return rows
        found: list[Any] = [None] * self.size
        dist.all_gather_object(found, rows)
        return np.concatenate(found)

    def all_reduce_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace all gradients by their sums over the processes."""
        if self.size == 1:
            return
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(flat)
        for gradient, total in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(total.view_as(gradient))

    def prepare(self, model: nn.Module) -> None:
        """Change the model in place, so that it computes with a share of a batch what it would with all of it.

        Names of parameters and buffers stay; all processes take over their values from the main one.
        """
        if self.size == 1:
            return
        for tensor in model.state_dict().values():
            dist.broadcast(tensor, 0)
        for parent in list(model.modules()):
            for name, module in parent.named_children():
                if isinstance(module, nn.Dropout | DropPath):
                    setattr(parent, name, SharedNoise(module, self))
                elif isinstance(module, nn.BatchNorm3d):
                    setattr(parent, name, shared_norm(module))


class SharedNoise(nn.Module):
    """Dropout or drop path, drawn for the clips of all processes; the first axis of its input is that of clips."""

    def __init__(self, noise: nn.Dropout | DropPath, group: DataParallelGroup) -> None:
        super().__init__()
        self.noise = noise
        self.group = group

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x``, B,…, times this process's share of the noise."""
        if not self.training or not self.noise.p:
            return x
        start, stop = self.group.bounds(self.group.batch)
        return x * self.noise(x.new_ones(self.group.batch, *x.shape[1:]))[start:stop]


def shared_norm(norm: nn.BatchNorm3d) -> nn.Module:
    """Batch normalization over the clips of all processes, with the same parameters and buffers."""
    kind = SharedBatchNormOnGPU if norm.weight.is_cuda else SharedBatchNorm
    shared = kind(norm.num_features, norm.eps, norm.momentum)
    shared.weight, shared.bias = norm.weight, norm.bias
    for name, buffer in norm.named_buffers():
        setattr(shared, name, buffer)
    return shared.train(norm.training)


class SharedBatchNormOnGPU(nn.SyncBatchNorm):
    """PyTorch's own batch normalization over all processes, made to accept empty shares in mixed precision.

    ``nn.SyncBatchNorm`` sends the statistics of an empty share in the precision of the features, all others in float32.
    """

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """Return the normalized features."""
        if x_BCTHW.numel():
            return super().forward(x_BCTHW)
        return super().forward(x_BCTHW.float()).to(x_BCTHW.dtype)


class SharedBatchNorm(nn.BatchNorm3d):
    """Batch normalization over the clips of all processes on CPUs, which ``nn.SyncBatchNorm`` does not support."""

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """Return the normalized features, and in training update the running statistics."""
        if not self.training:
            return super().forward(x_BCTHW)
        x = x_BCTHW.float()
        axes, shape = (0, 2, 3, 4), (1, -1, 1, 1, 1)
        count = all_reduce_sum(torch.tensor(float(x.numel() // x.shape[1])))
        mean_C = all_reduce_sum(x.sum(axes)) / count
        centered = x - mean_C.view(shape)
        var_C = all_reduce_sum(centered.square().sum(axes)) / count
        if self.track_running_stats:
            self._track(mean_C.detach(), var_C.detach() * count / (count - 1))
        scale_C = self.weight * (var_C + self.eps).rsqrt()
        return (centered * scale_C.view(shape) + self.bias.view(shape)).to(x_BCTHW.dtype)

    @torch.no_grad()
    def _track(self, mean_C: Tensor, var_C: Tensor) -> None:
        assert self.running_mean is not None and self.running_var is not None
        assert self.num_batches_tracked is not None and self.momentum is not None
        self.num_batches_tracked += 1
        self.running_mean.lerp_(mean_C, self.momentum)
        self.running_var.lerp_(var_C, self.momentum)


class _AllReduceSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        # Each process has used the sum, so the gradient is the sum of the gradients of all of them.
        total = gradients[0].clone()
        dist.all_reduce(total)
        return total


def all_reduce_sum(x: Tensor) -> Tensor:
    """The sum over the processes, through which gradients flow."""
    return cast(Tensor, _AllReduceSum.apply(x))
