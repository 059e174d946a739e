"""Joint layouts: the order of the joints in a skeleton, its limbs, and which joints mirror each other."""

from dataclasses import dataclass
from difflib import get_close_matches


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


def _layout(name: str, joints: str, limbs: str) -> Layout:
    """A layout from joint names and ``a-b`` limbs; the pairs follow from the names."""
    names = tuple(joints.split())
    edges = tuple((names.index(a), names.index(b)) for a, b in (limb.split("-") for limb in limbs.split()))
    pairs = tuple(
        (i, names.index(joint.replace("left", "right"))) for i, joint in enumerate(names) if joint.startswith("left")
    )
    return Layout(name, names, edges, pairs)


COCO17 = _layout(
    "coco17",
    """nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow
    left_wrist right_wrist left_hip right_hip left_knee right_knee left_ankle right_ankle""",
    """nose-left_eye nose-right_eye left_eye-left_ear right_eye-right_ear
    left_ear-left_shoulder right_ear-right_shoulder
    left_shoulder-right_shoulder left_shoulder-left_elbow left_elbow-left_wrist
    right_shoulder-right_elbow right_elbow-right_wrist left_shoulder-left_hip right_shoulder-right_hip
    left_hip-right_hip left_hip-left_knee left_knee-left_ankle right_hip-right_knee right_knee-right_ankle""",
)
"""The 17 keypoints of COCO, which HRNet and most other estimators output."""

PENNACTION13 = _layout(
    "pennaction13",
    """head left_shoulder right_shoulder left_elbow right_elbow left_wrist right_wrist
    left_hip right_hip left_knee right_knee left_ankle right_ankle""",
    """head-left_shoulder head-right_shoulder left_shoulder-right_shoulder
    left_shoulder-left_elbow left_elbow-left_wrist right_shoulder-right_elbow right_elbow-right_wrist
    left_shoulder-left_hip right_shoulder-right_hip left_hip-right_hip
    left_hip-left_knee left_knee-left_ankle right_hip-right_knee right_knee-right_ankle""",
)
"""The 13 joints annotated in PennAction."""

NTU25 = _layout(
    "ntu25",
    """spine_base spine_middle neck head left_shoulder left_elbow left_wrist left_hand
    right_shoulder right_elbow right_wrist right_hand left_hip left_knee left_ankle left_foot
    right_hip right_knee right_ankle right_foot spine_shoulder
    left_hand_tip left_thumb right_hand_tip right_thumb""",
    """spine_base-spine_middle spine_middle-spine_shoulder spine_shoulder-neck neck-head
    spine_shoulder-left_shoulder left_shoulder-left_elbow left_elbow-left_wrist left_wrist-left_hand
    left_hand-left_hand_tip left_wrist-left_thumb
    spine_shoulder-right_shoulder right_shoulder-right_elbow right_elbow-right_wrist right_wrist-right_hand
    right_hand-right_hand_tip right_wrist-right_thumb
    spine_base-left_hip left_hip-left_knee left_knee-left_ankle left_ankle-left_foot
    spine_base-right_hip right_hip-right_knee right_knee-right_ankle right_ankle-right_foot""",
)
"""The 25 joints of the Kinect v2, as in NTU RGB+D 60 and 120."""

LAYOUTS: dict[str, Layout] = {layout.name: layout for layout in (COCO17, PENNACTION13, NTU25)}


def layout(name: str) -> Layout:
    """The layout called ``name``. Raises ValueError, which suggests the nearest name, if there is none."""
    if name in LAYOUTS:
        return LAYOUTS[name]
    nearest = get_close_matches(name, LAYOUTS, n=1, cutoff=0.3)
    hint = f"; did you mean {nearest[0]!r}?" if nearest else "."
    raise ValueError(f"no joint layout is called {name!r}{hint} Known layouts: {', '.join(LAYOUTS)}")
