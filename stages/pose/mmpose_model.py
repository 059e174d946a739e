"""Top-down models of MMPose, where it is installed: docs/mmpose.md says how."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipeline.errors import ManifestError, StageError
from stages.pose.estimators import EstimatorSettings, TopDownEstimator
from stages.pose.zoo import ModelCard


class MMPoseModel(TopDownEstimator):
    """A model with heatmaps, SimCC or regression; MMPose decodes them as the model's config says.

    The config is a JSON file beside the weights: ``a.json`` of ``a.pth``. MMPose's own configs are Python files, which
    run when they are read. A JSON file runs nothing: it may only name parts of models that MMPose knows.
    """

    takes = TopDownEstimator.takes | {"weights", "layout", "flip_test"}
    card = ModelCard("that of the weights", "that of the weights")

    def __init__(self, settings: EstimatorSettings) -> None:
        from stages.pose.checkpoints import load_checkpoint
        from stages.pose.mmpose_config import untrained

        weights, self.layout = settings.weights, settings.layout
        assert weights is not None
        (config,) = self.files(weights)
        self.model, (width, height) = untrained(config)
        self.input_size = (height, width)
        checkpoint = load_checkpoint(weights)
        try:
            missing, _ = self.model.load_state_dict(checkpoint.get("state_dict", checkpoint), strict=False)
        except RuntimeError as error:  # the shapes differ
            raise StageError(f"{weights} does not fit {config.name}: {str(error).splitlines()[-1].strip()}") from error
        if missing := [name for name in missing if not name.endswith("num_batches_tracked")]:
            raise StageError(f"{weights} does not fit {config.name}: it lacks {missing[0]}")
        self.model.eval().to(settings.device)

        joints = self.keypoints(np.zeros((1, height, width, 3), np.uint8), flip_test=False).shape[1]
        if joints != self.layout.count:
            raise StageError(f"{weights} finds {joints} joints, but layout {self.layout.name} has {self.layout.count}")
        trained_on, flip = checkpoint.get("meta", {}).get("dataset_meta", {}), list(self.layout.flip)
        if trained_on.get("flip_indices", flip) != flip:
            raise StageError(
                f"{weights} finds the joints of {trained_on.get('dataset_name')}, which are not those of layout "
                f"{self.layout.name}: left and right are elsewhere"
            )

    @classmethod
    def files(cls, weights: Path | None) -> Sequence[Path]:
        if weights is None:
            return ()
        config = weights.with_suffix(".json")
        if not config.is_file():
            raise ManifestError(f"estimator mmpose: the config of {weights} has to be in {config} (docs/mmpose.md)")
        return (config,)

    def keypoints(self, crops: np.ndarray, flip_test: bool) -> np.ndarray:
        import torch
        from mmpose.codecs import UDPHeatmap
        from mmpose.structures import PoseDataSample

        model, (height, width) = self.model, self.input_size
        about = PoseDataSample(metainfo={"flip_indices": self.layout.flip, "input_size": (width, height)})
        bgr = torch.from_numpy(np.ascontiguousarray(crops[..., ::-1].transpose(0, 3, 1, 2)))
        with torch.inference_mode():
            data = model.data_preprocessor({"inputs": bgr, "data_samples": [about] * len(crops)})
            images, samples = data["inputs"], data["data_samples"]
            features = model.extract_feat(images)
            if flip_test:
                features = [features, model.extract_feat(images.flip(-1))]
            how = {**model.test_cfg, "flip_test": flip_test, "output_heatmaps": False}
            people = model.head.predict(features, samples, test_cfg=how)
        found = np.stack([np.concatenate([one.keypoints[0], one.keypoint_scores[0, :, None]], 1) for one in people])
        if isinstance(model.head.decoder, UDPHeatmap):  # for UDP, crops end at the centers of their outermost pixels
            found[..., :2] *= (1 - 1 / width, 1 - 1 / height)
        found[..., 2] = found[..., 2].clip(0, 1)
        return found
