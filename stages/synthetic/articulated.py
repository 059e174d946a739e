"""A recorded body as a tree of joints that turn about their parents, and where that takes them."""

from typing import NamedTuple

import numpy as np

from stages.synthetic.body import Array


class Articulated(NamedTuple):
    """A recording of T frames of J joints, parents before their children, the root first."""

    names: tuple[str, ...]
    parents: tuple[int, ...]
    """Numbers of joints; of the root, -1."""
    offsets: Array
    """J,3: places of joints relative to their parents' where nothing is turned, in any unit; y points up."""
    turns: Array
    """T,J,3,3: rotations relative to the parents'."""
    root: Array
    """T,3: where the root is."""
    frame_seconds: Array
    """T: how long each frame lasts."""

    def posed(self) -> tuple[Array, Array]:
        """Places T,J,3 and rotations T,J,3,3 in space: forward kinematics."""
        places, turns = np.empty(self.turns.shape[:3]), np.empty_like(self.turns)
        for j, parent in enumerate(self.parents):
            if parent < 0:
                places[:, j], turns[:, j] = self.root, self.turns[:, j]
            else:
                places[:, j] = places[:, parent] + turns[:, parent] @ self.offsets[j]
                turns[:, j] = turns[:, parent] @ self.turns[:, j]
        return places, turns

    def at_rest(self) -> Array:
        """Places J,3 where nothing is turned, and the root is at 0."""
        still = np.broadcast_to(np.eye(3), (1, len(self.names), 3, 3))
        return self._replace(turns=still, root=np.zeros((1, 3))).posed()[0][0]
