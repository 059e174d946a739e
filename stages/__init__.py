"""The stages and commands that ship with the package. The engine finds them here by name and imports none directly."""

STAGES = {
    "folder": "stages.sources.folder:Folder",
    "listing": "stages.sources.listing:Listing",
    "pattern": "stages.sources.pattern:Pattern",
    "videos": "stages.sources.videos:Videos",
    "pennaction": "stages.sources.pennaction:PennAction",
    "ntu": "stages.sources.ntu:NTU",
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
"""Stages, by the name that a manifest gives under ``uses``."""

COMMANDS = {
    "recognize": "stages.commands.cli:recognize",
    "explain": "stages.commands.cli:explain",
    "doctor": "stages.commands.cli:doctor",
    "check-videos": "stages.commands.cli:check_videos",
}
"""Those commands of ``pipeline`` that know what the stages do, by name."""

CODE = ("stages", "recognizer")
"""Packages whose code affects what the stages compute: a plan says when it has changed."""
