import pytest
import torch

from recognizer.build import build_recognizer
from recognizer.config import RecognizerConfig
from recognizer.modality_dropout import ModalityDropout


def test_clips_lose_one_modality_or_none():
    torch.manual_seed(0)
    clips = 4000
    fa, fb, keypoints = torch.ones(clips, 2, 1, 1, 1), torch.ones(clips, 8, 1, 1, 1), torch.ones(clips, 1, 1, 1, 3)
    fa, fb, keypoints = ModalityDropout(0.2)(fa, fb, keypoints)
    assert torch.equal(fa[:, 0], fb[:, 0]), "both maps of a clip's frames are hidden together"
    frames, skeletons = fa[:, 0, 0, 0, 0] > 0, keypoints[:, 0, 0, 0, 2] > 0
    assert (frames | skeletons).all()
    for shown in (frames, skeletons):
        assert (~shown).float().mean().item() == pytest.approx(0.2 * 0.8, abs=0.02), "not where both were drawn"
    assert set(fa.unique().tolist()) == {0, 1}, "what is shown is not scaled"


def test_nothing_is_hidden_at_test():
    given = torch.rand(9, 2, 1, 1, 1), torch.rand(9, 8, 1, 1, 1), torch.rand(9, 1, 1, 1, 3)
    for one, other in zip(ModalityDropout(0.5).eval()(*given), given, strict=True):
        assert one is other


def test_hidden_frames_and_skeletons_tell_nothing():
    torch.manual_seed(0)
    fields = {"width": 4, "frames": 4, "size": 16, "joint_coordinates": True, "modality_dropout": 0.5}
    recognizer = build_recognizer(RecognizerConfig(class_names=("sit", "stand"), **fields)).train()
    assert recognizer.backbone is not None
    recognizer.backbone.eval()
    frames, keypoints = torch.rand(1, 3, 4, 16, 16), torch.rand(1, 2, 4, 17, 3)
    lost = set()
    for seed in range(12):
        logits = []
        for changed in ((frames, keypoints), (1 - frames, keypoints), (frames, keypoints.flip(3))):
            torch.manual_seed(seed)
            logits.append(recognizer(*changed))
        lost.add((torch.equal(logits[0], logits[1]), torch.equal(logits[0], logits[2])))
    assert lost == {(False, False), (True, False), (False, True)}
