"""Miniature skeleton sets in one file each, drawn by rule, with the arrays of the published ones."""

from pathlib import Path

import numpy as np

SIDES = ("Left", "Right")
ARMS = [part + side for side in SIDES for part in ("Shoulder", "Elbow", "Wrist", "Hand")]
LEGS = [part + side for side in SIDES for part in ("Hip", "Knee", "Ankle", "Foot")]
KINECT = ["HipCenter", "Spine", "ShoulderCenter", "Head", *ARMS, *LEGS]
"""Names of joints as published: those of the Kinect v1, of JHMDB and of OpenPose."""

LIMBS = ("shoulder", "hip", "elbow", "knee", "wrist", "ankle")
JHMDB = ["neck", "belly", "face", *(f"{side} {part}" for part in LIMBS for side in ("right", "left"))]
OPENPOSE = [
    *("nose", "neck"),
    *(f"{side} {part}" for side in ("right", "left") for part in ("shoulder", "elbow", "wrist")),
    *(f"{side} {part}" for side in ("right", "left") for part in ("hip", "knee", "ankle")),
    *(f"{side} {part}" for part in ("eye", "ear") for side in ("right", "left")),
]


def write_set(
    path: Path, joints: list[str], channels: int, clips: int, classes: int = 2, scale: float = 1.0, **arrays: object
) -> Path:
    """A set of clips of 8 to 11 frames whose classes differ in the joint that moves. Clip i has class i modulo
    ``classes`` and subject i // ``classes`` modulo 10, from 1."""
    rng = np.random.default_rng(0)
    body = rng.normal(0, 1, (len(joints), channels))
    label = np.arange(clips) % classes
    frames = []
    for i in range(clips):
        length = 8 + i % 4
        found = np.tile(body, (length, 1, 1)) + rng.normal(0, 0.02, (length, len(joints), channels))
        found[:, 2 + label[i], 0] += np.linspace(0, 3, length)
        frames.append(found * scale)
    np.savez(
        path,
        keypoints=np.concatenate(frames).astype(np.float32),
        offsets=np.cumsum([0, *map(len, frames)]),
        label=label.astype(np.int16),
        subject=(np.arange(clips) // classes % 10 + 1).astype(np.int16),
        class_names=np.array([f"class {i}" for i in range(classes)]),
        joint_names=np.array(joints),
        **arrays,
    )
    return path


def write_published(folder: Path) -> Path:
    """The four files that manifests name, with the arrays that they ask for."""
    clips = np.arange(24)
    masks = np.stack([clips % 3 != fold for fold in range(3)])
    ten = np.stack([np.roll(np.arange(1, 11), shift)[:5] for shift in range(10)])
    names = np.array([f"a{i:02}" for i in clips])
    sets = np.array([[True, True, False], [False, True, True], [True, False, True]])
    used = np.arange(60) != 5
    write_set(folder / "msr_action3d.npz", KINECT, 4, 60, 3, used_in_cvpr12=used, action_sets=sets)
    write_set(folder / "utkinect.npz", KINECT, 3, 24, ten_splits_train_subjects=ten, name=names)
    write_set(folder / "jhmdb14_skeletons.npz", JHMDB, 2, 24, train=masks)
    write_set(folder / "uav_gesture_openpose.npz", OPENPOSE, 2, 24, scale=300, train=masks, test=~masks)
    return folder
