"""95 % intervals of an accuracy, over clips or over the groups that they come in."""

from collections.abc import Hashable, Sequence

import numpy as np

Z = 1.959964
"""The normal distribution's quantile of an interval of 95 %."""


def wilson_interval(correct: float, count: float) -> tuple[float, float]:
    """The 95 % interval of a proportion (Wilson 1927), valid also for few clips and for proportions near 0 or 1."""
    share = correct / count
    center = (share + Z * Z / (2 * count)) / (1 + Z * Z / count)
    half = Z / (1 + Z * Z / count) * (share * (1 - share) / count + Z * Z / (4 * count * count)) ** 0.5
    return max(center - half, 0.0), min(center + half, 1.0)


def accuracy_interval(hits: Sequence[float], groups: Sequence[Hashable]) -> tuple[float, float]:
    """Wilson's interval for clips of groups, such as recordings: with as many clips as they are worth.

    hits: 1 for a clip that was recognized, 0 for one that was not, or the share of its repetitions. groups: the group
    of each clip; None for one that is alone.

    Clips of a group are recognized or not together, so they count for less than clips that have nothing in common: by
    the ratio of the variance between clips to that between groups (Kish's design effect), and by that of the normal
    distribution's quantile to Student's, since few groups tell little of their variance (Korn & Graubard 1998).
    A bootstrap over groups is too narrow where they are few or almost all clips are recognized.
    """
    from scipy import stats

    sums_G, sizes_G = per_group(hits, groups)
    count, share = len(hits), float(sums_G.sum() / len(hits))
    if len(sizes_G) == count:
        return wilson_interval(sums_G.sum(), count)
    if len(sizes_G) == 1:
        return wilson_interval(share, 1)
    degrees = len(sizes_G) - 1
    variance = float(((sums_G - share * sizes_G) ** 2).sum()) * len(sizes_G) / degrees / count**2
    worth = min(share * (1 - share) / variance, count) if variance > 0 else len(sizes_G)
    worth = max(worth * (Z / stats.t.ppf(0.975, degrees)) ** 2, 1.0)
    return wilson_interval(share * worth, worth)


def per_group(values: Sequence[float], groups: Sequence[Hashable]) -> tuple[np.ndarray, np.ndarray]:
    """The sum of the clips' values in each group, and the number of its clips; a clip without group is one."""
    number: dict[Hashable, int] = {}
    which_N = [number.setdefault((i,) if group is None else group, len(number)) for i, group in enumerate(groups)]
    return np.bincount(which_N, values), np.bincount(which_N)


def count_groups(groups: Sequence[Hashable]) -> int | None:
    """How many groups clips come in; None if each is alone."""
    count = len(per_group([0.0] * len(groups), groups)[1])
    return count if count < len(groups) else None
