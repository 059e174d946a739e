"""The stages that come with the package, by the name a manifest gives under ``uses``."""

STAGES = {
    "folder": "stages.sources.folder:Folder",
    "listing": "stages.sources.listing:Listing",
    "pattern": "stages.sources.pattern:Pattern",
    "videos": "stages.sources.videos:Videos",
    "pennaction": "stages.sources.pennaction:PennAction",
    "synthetic": "stages.sources.synthetic:Synthetic",
    "decode": "stages.decode:Decode",
    "pose": "stages.pose.stage:Pose",
    "skeletons": "stages.skeletons:Skeletons",
    "cache": "stages.cache:Cache",
    "train": "stages.train:Train",
    "pretrained": "stages.pretrained:Pretrained",
    "predict": "stages.predict:Predict",
    "evaluate": "stages.evaluate:Evaluate",
    "report": "stages.report.stage:Report",
    "explain": "stages.explanation.stage:Explain",
    "recognitions": "stages.recognitions:Recognitions",
}
