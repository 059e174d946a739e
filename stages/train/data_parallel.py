"""Data-parallel training: several processes, each with its share of every batch, take the steps that one would take.

The gradient is the sum over all processes of a loss that each has divided by the clips of the whole step, so shares may
differ in size and be empty. Batch normalization looks at the clips of all processes. What dropout and drop path draw is
drawn by every process for the whole batch, and each uses its share.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torchvision.ops import StochasticDepth


@dataclass
class DataParallelGroup:
    """The processes of a training; by default one alone, which needs no ``torch.distributed``."""

    rank: int = 0
    size: int = 1
    batch: int = field(default=0, init=False)
    """Clips of the batch that the network sees at the moment, in all processes together."""

    @property
    def is_main(self) -> bool:
        """Whether this process writes checkpoints and logs."""
        return self.rank == 0

    def bounds(self, clips: int) -> tuple[int, int]:
        """Where this process's share of so many clips begins and ends."""
        return clips * self.rank // self.size, clips * (self.rank + 1) // self.size

    def share(self, clips: Sequence[str]) -> Sequence[str]:
        """This process's clips; shares differ by one clip at most."""
        start, stop = self.bounds(len(clips))
        return clips[start:stop]

    def reads(self, clips: Sequence[str], before: bool) -> list[str]:
        """What this process reads of a batch: its share, and the clip before it where that is wanted, or where the
        share is empty, so that there is a clip to say of what shape nothing is."""
        start, stop = self.bounds(len(clips))
        lent = [clips[start - 1]] if before or start == stop else []
        return [*lent, *clips[start:stop]]

    def sums(self, *values: float) -> tuple[float, ...]:
        """Each value summed over the processes."""
        if self.size == 1:
            return values
        device = "cuda" if dist.get_backend() == "nccl" else "cpu"
        total = torch.tensor(values, dtype=torch.float64, device=device)
        dist.all_reduce(total)
        return tuple(total.tolist())

    def add_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Replace all gradients by their sums over the processes."""
        if self.size == 1:
            return
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(flat)
        for gradient, total in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(total.view_as(gradient))

    def prepare(self, model: nn.Module) -> None:
        """Make the model, in place, one that computes with a share of a batch what it would with all of it.

        Names and values of its parameters and buffers stay; all processes take those of the first.
        """
        if self.size == 1:
            return
        for tensor in model.state_dict().values():
            dist.broadcast(tensor, 0)
        for parent in list(model.modules()):
            for name, module in parent.named_children():
                if isinstance(module, nn.Dropout | StochasticDepth):
                    setattr(parent, name, SharedNoise(module, self))
                elif isinstance(module, nn.BatchNorm3d):
                    setattr(parent, name, shared_norm(module))


class SharedNoise(nn.Module):
    """Dropout or drop path, drawn for the clips of all processes; their first axis must be that of clips."""

    def __init__(self, noise: nn.Dropout | StochasticDepth, team: DataParallelGroup) -> None:
        super().__init__()
        self.noise = noise
        self.team = team

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x``, B,…, times this process's share of the noise."""
        if not self.training or not self.noise.p:
            return x
        start, stop = self.team.bounds(self.team.batch)
        return x * self.noise(x.new_ones(self.team.batch, *x.shape[1:]))[start:stop]


def shared_norm(norm: nn.BatchNorm3d) -> nn.Module:
    """Batch normalization over the clips of all processes, with the same parameters and buffers."""
    kind = SharedBatchNormOnGPU if norm.weight.is_cuda else SharedBatchNorm
    shared = kind(norm.num_features, norm.eps, norm.momentum)
    shared.weight, shared.bias = norm.weight, norm.bias
    for name, buffer in norm.named_buffers():
        setattr(shared, name, buffer)
    return shared.train(norm.training)


class SharedBatchNormOnGPU(nn.SyncBatchNorm):
    """PyTorch's own, for shares that may be empty in mixed precision.

    It sends an empty share's statistics in the precision of the features, and those of others in float32.
    """

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """Return the normalized features."""
        if x_BCTHW.numel():
            return super().forward(x_BCTHW)
        return super().forward(x_BCTHW.float()).to(x_BCTHW.dtype)


class SharedBatchNorm(nn.BatchNorm3d):
    """Batch normalization over the clips of all processes on CPUs, which ``nn.SyncBatchNorm`` leaves out."""

    def forward(self, x_BCTHW: Tensor) -> Tensor:
        """Return the normalized features, and in training move the running statistics towards those of the batch."""
        if not self.training:
            return super().forward(x_BCTHW)
        x = x_BCTHW.float()
        axes, shape = (0, 2, 3, 4), (1, -1, 1, 1, 1)
        count = summed(torch.tensor(float(x.numel() // x.shape[1])))
        mean_C = summed(x.sum(axes)) / count
        centered = x - mean_C.view(shape)
        var_C = summed(centered.square().sum(axes)) / count
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


class _Summed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        total = x.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        # Each process has used the sum, so what they all make of it comes back.
        total = gradients[0].clone()
        dist.all_reduce(total)
        return total


def summed(x: Tensor) -> Tensor:
    """The sum over the processes, with its gradient."""
    return cast(Tensor, _Summed.apply(x))
