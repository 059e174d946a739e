import json

import pytest

from pipeline.errors import StageError
from recognizer.config import NetworkConfig, RecognizerConfig
from recognizer.model import Recognizer
from stages.predict.stage import Predict
from stages.tables import MODELS
from stages.train.pretrained import Pretrained
from stages.train.start import check_start


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


def test_a_model_that_names_its_format_is_read_everywhere(tmp_path):
    config = RecognizerConfig(class_names=("a", "b"), width=4, size=16, heads=2, blocks=1)
    Recognizer(config).save_pretrained(tmp_path)
    file = tmp_path / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"format": 1}))
    found = Pretrained(path=tmp_path).layout()
    assert found is not None and found.name == "coco17"
    (problem,) = check_start(str(tmp_path), NetworkConfig(width=4, size=16, heads=2, blocks=1), {"a", "c"})
    assert not problem.fatal and "knows 1 of the 2 classes" in problem.text
    file.write_text(json.dumps(json.loads(file.read_text()) | {"format": 2}))
    assert Pretrained(path=tmp_path).layout() is None
    (problem,) = check_start(str(tmp_path), NetworkConfig(), {"a"})
    assert problem.fatal and f"{file}: the model has format 2" in problem.text
