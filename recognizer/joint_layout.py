"""A joint layout: the order of the joints in a skeleton, its limbs, and which joints mirror each other."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Self


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
    about: str = field(default="", compare=False)
    """One line on where such skeletons come from."""

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

    def lacks(self, joints: Iterable[str]) -> list[str]:
        """Which of the joints with these names this layout does not have."""
        return [joint for joint in joints if joint not in self.joints]

    @classmethod
    def from_names(
        cls,
        name: str,
        joints: Sequence[str],
        edges: Iterable[Sequence[str]] = (),
        pairs: Iterable[Sequence[str]] | None = None,
        about: str = "",
    ) -> Self:
        """A layout whose limbs and pairs are given by joint names.

        pairs: (left, right); None: each joint ``left_…`` with the joint ``right_…``.

        Raises ValueError for a joint that occurs twice, and for an edge or pair of joints that do not exist.
        """
        places = {joint: i for i, joint in enumerate(joints)}
        if len(places) < len(joints):
            raise ValueError(f"joints: {next(joint for joint in joints if joints.count(joint) > 1)} occurs twice")
        if pairs is None:
            pairs = [(joint, f"right_{joint[5:]}") for joint in joints if joint.startswith("left_")]
        found = {what: _indices(what, given, places) for what, given in (("edges", edges), ("pairs", pairs))}
        paired = [joint for pair in found["pairs"] for joint in pair]
        if len(set(paired)) < len(paired):
            raise ValueError(f"pairs: {joints[max(paired, key=paired.count)]} is in more than one pair")
        return cls(name, tuple(joints), found["edges"], found["pairs"], about)

    def definition(self) -> dict[str, Any]:
        """The layout as JSON values, by names: all that it takes to know it elsewhere."""
        edges, pairs = ([[self.joints[a], self.joints[b]] for a, b in given] for given in (self.edges, self.pairs))
        return {"name": self.name, "joints": list(self.joints), "edges": edges, "pairs": pairs}


def _indices(what: str, given: Iterable[Sequence[str]], places: dict[str, int]) -> tuple[tuple[int, int], ...]:
    """Pairs of names as pairs of indices."""
    found = []
    for a, b in given:
        for joint in (a, b):
            if joint not in places:
                nearest = get_close_matches(joint, places, n=1)
                hint = f"; did you mean {nearest[0]}?" if nearest else ""
                raise ValueError(f"{what}: [{a}, {b}]: no joint is called {joint}{hint}")
        if a == b:
            raise ValueError(f"{what}: [{a}, {b}]: two different joints are needed")
        found.append((places[a], places[b]))
    return tuple(found)
