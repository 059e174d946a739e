import pytest
from pydantic import ValidationError

from recognizer.config import RecognizerConfig


def test_json_round_trip() -> None:
    config = RecognizerConfig(
        class_names=("sit", "stand"), offset_range="volume", preprocessing={"size": 64, "crop": None}
    )
    assert RecognizerConfig.model_validate_json(config.model_dump_json()) == config


def test_defaults_are_the_papers() -> None:
    config = RecognizerConfig(class_names=("sit",))
    assert (config.width, config.dim, config.head_count, config.blocks) == (64, 256, 8, 2)
    assert (config.frames, config.size, config.search_kernel, config.modal_names) == (
        12,
        224,
        7,
        ("cls", "rgb", "pose"),
    )


def test_every_field_says_what_it_is() -> None:
    assert all(field.description for field in RecognizerConfig.model_fields.values())


@pytest.mark.parametrize(
    "wrong,text",
    [
        ({"layout": "coco_17"}, "did you mean 'coco17'"),
        ({"heads": 7}, "heads=7 must divide the 256 channels"),
        ({"stride_frames": 5}, "stride_frames=5 leaves frames out of every window"),
        ({"class_names": ("sit", "sit")}, "lists 'sit' twice"),
        ({"class_names": ()}, "class_names"),
        ({"modality": "rgb", "deformable_attention": False, "temporal_attention": False}, "attends to anything"),
        ({"depth": 2}, "depth"),
        ({"offset_range": 0}, "offset_range"),
    ],
)
def test_impossible_values_are_named(wrong: dict[str, object], text: str) -> None:
    with pytest.raises(ValidationError, match=text):
        RecognizerConfig.model_validate({"class_names": ("sit", "stand")} | wrong)


@pytest.mark.parametrize(
    "modality,modal,names",
    [
        ("rgb", "cross", ("cls", "rgb")),
        ("pose", "cross", ("cls", "pose")),
        ("rgb", "shared", ("cls",)),
        ("pose", "none", ()),
    ],
)
def test_modal_tokens_follow_the_modality(modality: str, modal: str, names: tuple[str, ...]) -> None:
    config = RecognizerConfig.model_validate({"class_names": ("a",), "modality": modality, "modal_tokens": modal})
    assert config.modal_names == names
