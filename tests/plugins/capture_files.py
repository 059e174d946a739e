"""Files of motion capture for tests."""

import json
from pathlib import Path

import numpy as np

from stages.synthetic.deepmimic import ANGLES, FIXED, TREE

BVH = """HIERARCHY
ROOT Hips
{
  OFFSET 0 0 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Yrotation Xrotation
  JOINT Spine
  {
    OFFSET 0 10 0
    CHANNELS 3 Zrotation Yrotation Xrotation
    JOINT Neck
    {
      OFFSET 0 40 0
      CHANNELS 3 Zrotation Yrotation Xrotation
      JOINT Head
      {
        OFFSET 0 10 0
        CHANNELS 3 Zrotation Yrotation Xrotation
        End Site
        {
          OFFSET 0 20 0
        }
      }
    }
    ARMS
  }
  LEGS
}
MOTION
Frames: FRAMES
Frame Time: 0.1
"""
CHAIN = "JOINT {} {{ OFFSET {} {} {} CHANNELS 3 Zrotation Yrotation Xrotation "
ORDER = ["Hips", "Spine", "Neck", "Head", "LeftShoulder", "LeftArm", "LeftForeArm", "LeftHand"]
ORDER += ["RightShoulder", "RightArm", "RightForeArm", "RightHand"]
ORDER += ["LeftUpLeg", "LeftLeg", "LeftFoot", "RightUpLeg", "RightLeg", "RightFoot"]


def bvh(frames: int = 11, rename: dict[str, str] | None = None, **turned: tuple[float, float, float]) -> str:
    """A person 1.7 m tall, in centimeters, arms to the sides, facing z, who stays as turned: degrees about z, y and x,
    by joint."""
    arms = legs = ""
    for side, sign in (("Left", 1), ("Right", -1)):
        bones = [("Shoulder", 5 * sign, 35, 0), ("Arm", 15 * sign, 0, 0), ("ForeArm", 28 * sign, 0, 0)]
        bones.append(("Hand", 26 * sign, 0, 0))
        arms += "".join(CHAIN.format(side + name, *offset) for name, *offset in bones) + "} " * 4
        bones = [("UpLeg", 10 * sign, 0, 0), ("Leg", 0, -43, 0), ("Foot", 0, -41, 0)]
        legs += "".join(CHAIN.format(side + name, *offset) for name, *offset in bones) + "} " * 3
    head = BVH.replace("ARMS", arms).replace("LEGS", legs).replace("FRAMES", str(frames))
    row = [0.0, 92.0, 0.0, *(angle for joint in ORDER for angle in turned.get(joint, (0, 0, 0)))]
    for old, new in (rename or {}).items():
        head = head.replace(f" {old} ", f" {new} ").replace(f" {old}\n", f" {new}\n")
    return head + "\n".join(" ".join(map(str, row)) for _ in range(frames)) + "\n"


def write_deepmimic(path: Path, frames: int = 11, seconds: float = 0.1, **turned: tuple[float, ...]) -> Path:
    """Somebody who faces x and stays as turned: quaternions w, x, y, z or angles, by joint."""
    row = [seconds, 0.0, 0.9, 0.0]
    for name in TREE:
        if name not in FIXED:
            row += turned.get(name, (0.0,) if name in ANGLES else (1.0, 0.0, 0.0, 0.0))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"Loop": "none", "Frames": np.tile(row, (frames, 1)).tolist()}))
    return path
