"""Which frames represent a clip: the one rule by which all stages spread frames over time."""

import numpy as np


def sample_frames(
    count: int, wanted: int, phase: float | np.ndarray = 0.5, start: float = 0.0, span: float = 1.0
) -> list[int]:
    """Indices of ``wanted`` of ``count`` frames: one from each of ``wanted`` equal segments of the clip.

    phase: position within each segment, in [0, 1); 0.5 is the middle.
    start, span: the part of the clip that is divided into segments, as fractions of the clip.

    Where there are fewer frames than wanted, some repeat.
    """
    if not isinstance(phase, np.ndarray) and (phase, start, span) == (0.5, 0.0, 1.0):
        # Middles often fall exactly between two frames, where a rounding error would decide: hence integers.
        return [(2 * i + 1) * count // (2 * wanted) for i in range(wanted)]
    positions = (start + (np.arange(wanted) + phase) / wanted * span) * count
    return [int(position) for position in np.minimum(positions, count - 1)]
