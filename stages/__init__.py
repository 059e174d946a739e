"""The stages that come with the package, by the name a manifest gives under ``uses``."""

STAGES = {
    "folder": "stages.sources.folder:Folder",
    "listing": "stages.sources.listing:Listing",
    "pattern": "stages.sources.pattern:Pattern",
    "videos": "stages.sources.videos:Videos",
    "pennaction": "stages.sources.pennaction:PennAction",
    "synthetic": "stages.sources.synthetic:Synthetic",
    "decode": "stages.video.stage:Decode",
    "pose": "stages.pose.stage:Pose",
    "skeletons": "stages.pose.given:Skeletons",
    "cache": "stages.cache.stage:Cache",
    "train": "stages.train.stage:Train",
    "pretrained": "stages.train.pretrained:Pretrained",
    "predict": "stages.predict.stage:Predict",
    "evaluate": "stages.predict.evaluate:Evaluate",
    "report": "stages.report.stage:Report",
    "explain": "stages.explanation.stage:Explain",
    "recognitions": "stages.predict.recognitions:Recognitions",
}
