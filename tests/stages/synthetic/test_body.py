"""Forward kinematics against what is known of a body."""

import numpy as np
import pytest

from stages.synthetic.body import Build, move, rotation_x, rotation_y, rotation_z

QUARTER = np.full(3, np.pi / 2)


def test_rotations_turn_the_way_they_say() -> None:
    x, y, z = np.eye(3)
    assert np.allclose(rotation_x(QUARTER) @ y, z)
    assert np.allclose(rotation_y(QUARTER) @ z, x)
    assert np.allclose(rotation_z(QUARTER) @ x, y)


def test_a_body_at_rest_hangs_and_stands() -> None:
    build = Build()
    body = move({}, build, 3)
    assert np.allclose(body["left_ankle"][:, 1], build.ankle)
    assert np.allclose(body["left_wrist"][:, 1], body["left_shoulder"][:, 1] - build.upper_arm - build.forearm)
    assert (body["left_wrist"][:, 0] > 0).all() and (body["right_wrist"][:, 0] < 0).all()
    assert (body["nose"][:, 2] > body["head"][:, 2]).all()


def test_joint_angles_move_limbs_forward_outward_and_up() -> None:
    forward = move({"left_shoulder_flex": QUARTER}, Build(), 3)
    assert (forward["left_wrist"] - forward["left_shoulder"])[:, 2] == pytest.approx(0.55)
    outward = move({"right_shoulder_abduct": QUARTER}, Build(), 3)
    assert (outward["right_wrist"] - outward["right_shoulder"])[:, 0] == pytest.approx(-0.55)
    waving = move({f"left_{name}": QUARTER for name in ("shoulder_abduct", "shoulder_twist", "elbow")}, Build(), 3)
    assert (waving["left_wrist"] - waving["left_elbow"])[:, 1] == pytest.approx(0.26)
    kneeling = move({"left_knee": QUARTER}, Build(), 3)
    assert (kneeling["left_ankle"] - kneeling["left_knee"])[:, 2] == pytest.approx(-0.41)


def test_limbs_keep_their_lengths_and_a_foot_its_place() -> None:
    t = np.linspace(0, 1, 20)
    pose = {
        "left_hip_flex": t,
        "left_knee": 1.5 * t,
        "right_hip_flex": t,
        "right_knee": 1.5 * t,
        "lean": 0.4 * t,
        "yaw": t,
    }
    body = move(pose, Build(scale=0.9), 20)
    for a, b, length in (("hip", "knee", 0.43), ("knee", "ankle", 0.41), ("shoulder", "elbow", 0.29)):
        assert np.linalg.norm(body[f"left_{a}"] - body[f"left_{b}"], axis=1) == pytest.approx(0.9 * length)
    middle = (body["left_ankle"] + body["right_ankle"]) / 2
    assert np.allclose(middle, middle[0])
