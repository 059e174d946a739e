"""The joint layouts that are built in: those of the data sets and pose estimators that most skeletons come from.

Joints have the same name in every layout where they are the same place of the body, so that one layout can be mapped to
another by name; where a layout's authors use other names, ``about`` says so. ``spine_base`` is the middle between the
hips. ``neck`` is wherever a layout has its only joint between shoulders and head: from the height of the shoulders
(OpenPose) to a quarter of the torso above it (Kinect).
"""

from recognizer.joint_layout import Layout


def _layout(name: str, about: str, joints: str, limbs: str) -> Layout:
    """A layout from its joints and its limbs, ``a-b``."""
    return Layout.from_names(name, joints.split(), [limb.split("-") for limb in limbs.split()], about=about)


COCO17 = _layout(
    "coco17",
    "COCO's keypoints, which HRNet and most other estimators output",
    """nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow
    left_wrist right_wrist left_hip right_hip left_knee right_knee left_ankle right_ankle""",
    """nose-left_eye nose-right_eye left_eye-left_ear right_eye-right_ear
    left_ear-left_shoulder right_ear-right_shoulder
    left_shoulder-right_shoulder left_shoulder-left_elbow left_elbow-left_wrist
    right_shoulder-right_elbow right_elbow-right_wrist left_shoulder-left_hip right_shoulder-right_hip
    left_hip-right_hip left_hip-left_knee left_knee-left_ankle right_hip-right_knee right_knee-right_ankle""",
)

PENNACTION13 = _layout(
    "pennaction13",
    "PennAction's annotations",
    """head left_shoulder right_shoulder left_elbow right_elbow left_wrist right_wrist
    left_hip right_hip left_knee right_knee left_ankle right_ankle""",
    """head-left_shoulder head-right_shoulder left_shoulder-right_shoulder
    left_shoulder-left_elbow left_elbow-left_wrist right_shoulder-right_elbow right_elbow-right_wrist
    left_shoulder-left_hip right_shoulder-right_hip left_hip-right_hip
    left_hip-left_knee left_knee-left_ankle right_hip-right_knee right_knee-right_ankle""",
)

NTU25 = _layout(
    "ntu25",
    "Kinect v2, as in NTU RGB+D 60 and 120",
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

KINECT20 = _layout(
    "kinect20",
    "Kinect v1; its hip center, spine and shoulder center are spine_base, spine_middle and neck",
    """spine_base spine_middle neck head left_shoulder left_elbow left_wrist left_hand
    right_shoulder right_elbow right_wrist right_hand left_hip left_knee left_ankle left_foot
    right_hip right_knee right_ankle right_foot""",
    """spine_base-spine_middle spine_middle-neck neck-head
    neck-left_shoulder left_shoulder-left_elbow left_elbow-left_wrist left_wrist-left_hand
    neck-right_shoulder right_shoulder-right_elbow right_elbow-right_wrist right_wrist-right_hand
    spine_base-left_hip left_hip-left_knee left_knee-left_ankle left_ankle-left_foot
    spine_base-right_hip right_hip-right_knee right_knee-right_ankle right_ankle-right_foot""",
)

OPENPOSE18 = _layout(
    "openpose18",
    "OpenPose's COCO model; its neck is the middle between the shoulders",
    """nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist
    right_hip right_knee right_ankle left_hip left_knee left_ankle right_eye left_eye right_ear left_ear""",
    """neck-nose nose-left_eye nose-right_eye left_eye-left_ear right_eye-right_ear
    neck-left_shoulder left_shoulder-left_elbow left_elbow-left_wrist
    neck-right_shoulder right_shoulder-right_elbow right_elbow-right_wrist
    neck-left_hip left_hip-left_knee left_knee-left_ankle neck-right_hip right_hip-right_knee right_knee-right_ankle""",
)

BODY25 = _layout(
    "body25",
    "OpenPose's BODY-25; its MidHip is spine_base",
    """nose neck right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist spine_base
    right_hip right_knee right_ankle left_hip left_knee left_ankle right_eye left_eye right_ear left_ear
    left_big_toe left_small_toe left_heel right_big_toe right_small_toe right_heel""",
    """neck-nose nose-left_eye nose-right_eye left_eye-left_ear right_eye-right_ear neck-spine_base
    neck-left_shoulder left_shoulder-left_elbow left_elbow-left_wrist
    neck-right_shoulder right_shoulder-right_elbow right_elbow-right_wrist
    spine_base-left_hip left_hip-left_knee left_knee-left_ankle
    spine_base-right_hip right_hip-right_knee right_knee-right_ankle
    left_ankle-left_heel left_ankle-left_big_toe left_big_toe-left_small_toe
    right_ankle-right_heel right_ankle-right_big_toe right_big_toe-right_small_toe""",
)

JHMDB15 = _layout(
    "jhmdb15",
    "JHMDB's puppets; the face is head",
    """neck belly head right_shoulder left_shoulder right_hip left_hip right_elbow left_elbow
    right_knee left_knee right_wrist left_wrist right_ankle left_ankle""",
    """head-neck neck-belly
    neck-left_shoulder left_shoulder-left_elbow left_elbow-left_wrist
    neck-right_shoulder right_shoulder-right_elbow right_elbow-right_wrist
    belly-left_hip left_hip-left_knee left_knee-left_ankle
    belly-right_hip right_hip-right_knee right_knee-right_ankle""",
)

HALPE26 = _layout(
    "halpe26",
    "Halpe without face and hands, as from AlphaPose and RTMPose; its head is head_top, its hip spine_base",
    """nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow
    left_wrist right_wrist left_hip right_hip left_knee right_knee left_ankle right_ankle
    head_top neck spine_base left_big_toe right_big_toe left_small_toe right_small_toe left_heel right_heel""",
    """head_top-nose nose-left_eye nose-right_eye left_eye-left_ear right_eye-right_ear nose-neck neck-spine_base
    neck-left_shoulder left_shoulder-left_elbow left_elbow-left_wrist
    neck-right_shoulder right_shoulder-right_elbow right_elbow-right_wrist
    spine_base-left_hip left_hip-left_knee left_knee-left_ankle
    spine_base-right_hip right_hip-right_knee right_knee-right_ankle
    left_ankle-left_heel left_ankle-left_big_toe left_big_toe-left_small_toe
    right_ankle-right_heel right_ankle-right_big_toe right_big_toe-right_small_toe""",
)

MEDIAPIPE33 = _layout(
    "mediapipe33",
    "MediaPipe's BlazePose",
    """nose left_eye_inner left_eye left_eye_outer right_eye_inner right_eye right_eye_outer left_ear right_ear
    left_mouth right_mouth left_shoulder right_shoulder left_elbow right_elbow left_wrist right_wrist
    left_pinky right_pinky left_index right_index left_thumb right_thumb left_hip right_hip left_knee right_knee
    left_ankle right_ankle left_heel right_heel left_foot_index right_foot_index""",
    """nose-left_eye_inner left_eye_inner-left_eye left_eye-left_eye_outer left_eye_outer-left_ear
    nose-right_eye_inner right_eye_inner-right_eye right_eye-right_eye_outer right_eye_outer-right_ear
    nose-left_mouth nose-right_mouth left_mouth-right_mouth left_ear-left_shoulder right_ear-right_shoulder
    left_shoulder-right_shoulder left_shoulder-left_elbow left_elbow-left_wrist
    right_shoulder-right_elbow right_elbow-right_wrist
    left_wrist-left_pinky left_wrist-left_index left_wrist-left_thumb left_pinky-left_index
    right_wrist-right_pinky right_wrist-right_index right_wrist-right_thumb right_pinky-right_index
    left_shoulder-left_hip right_shoulder-right_hip left_hip-right_hip
    left_hip-left_knee left_knee-left_ankle right_hip-right_knee right_knee-right_ankle
    left_ankle-left_heel left_ankle-left_foot_index left_heel-left_foot_index
    right_ankle-right_heel right_ankle-right_foot_index right_heel-right_foot_index""",
)

H36M17 = _layout(
    "h36m17",
    "Human3.6M for 3D poses; pelvis, spine, thorax, neck/nose, head: spine_base, spine_middle, neck, nose, head_top",
    """spine_base right_hip right_knee right_ankle left_hip left_knee left_ankle spine_middle neck nose head_top
    left_shoulder left_elbow left_wrist right_shoulder right_elbow right_wrist""",
    """spine_base-spine_middle spine_middle-neck neck-nose nose-head_top
    neck-left_shoulder left_shoulder-left_elbow left_elbow-left_wrist
    neck-right_shoulder right_shoulder-right_elbow right_elbow-right_wrist
    spine_base-left_hip left_hip-left_knee left_knee-left_ankle
    spine_base-right_hip right_hip-right_knee right_knee-right_ankle""",
)

BUILT_IN: dict[str, Layout] = {
    layout.name: layout
    for layout in (
        COCO17,
        PENNACTION13,
        NTU25,
        KINECT20,
        OPENPOSE18,
        BODY25,
        JHMDB15,
        HALPE26,
        MEDIAPIPE33,
        H36M17,
    )
}
