"""A joint layout: the order of the joints in a skeleton, its limbs, and which joints mirror each other."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Layout:
    """The joints of one skeleton convention, in the order of the data set that defined it."""

    name: str
    joints: tuple[str, ...]
    """Joint names. Left and right are the person's own."""
    edges: tuple[tuple[int, int], ...]
    """Limbs, as pairs of joint indices; for drawing."""
    pairs: tuple[tuple[int, int], ...]
    """(left, right) joint indices that change places in a mirrored image."""

    @property
    def count(self) -> int:
        """R, the number of joints."""
        return len(self.joints)

    @property
    def flip(self) -> tuple[int, ...]:
        """Permutation of the joints for a mirrored image: ``mirrored = keypoints[..., flip, :]``, with x ↦ 1 - x."""
        order = list(range(self.count))
        for left, right in self.pairs:
            order[left], order[right] = right, left
        return tuple(order)
