import pytest

from pipeline.errors import StageError
from recognizer.config import RecognizerConfig
from recognizer.model import Recognizer
from stages.predict.stage import Predict
from stages.tables import MODELS
from stages.train.pretrained import Pretrained


def test_a_saved_model_is_handed_on(tmp_path, context):
    config = RecognizerConfig(class_names=("a", "b"), width=4, size=16, heads=2, blocks=1)
    Recognizer(config).save_pretrained(tmp_path / "model")
    stage = Pretrained(path=tmp_path / "model")
    assert all(file.is_file() for file in stage.files()) and len(stage.files()) == 2
    table = stage.run([], context)
    assert table.schema == MODELS.schema
    assert isinstance(Predict(device="cpu").load({"models": table}), Recognizer)


def test_what_is_no_model(tmp_path, context):
    with pytest.raises(StageError, match=r"no saved recognizer in .*config\.json: No such file"):
        Pretrained(path=tmp_path).run([], context)
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model.safetensors").write_bytes(b"noise")
    with pytest.raises(StageError, match="does not load"):
        Pretrained(path=tmp_path).run([], context)
