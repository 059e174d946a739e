"""The stages, commands and functions that ship with the package. The engine finds them here by name, and imports
none directly."""

STAGES = {
    "folder": "stages.sources.folder:Folder",
    "listing": "stages.sources.listing:Listing",
    "split_lists": "stages.sources.split_lists:SplitLists",
    "pattern": "stages.sources.pattern:Pattern",
    "videos": "stages.sources.videos:Videos",
    "pennaction": "stages.sources.pennaction:PennAction",
    "ntu": "stages.sources.ntu:NTU",
    "finegym": "stages.sources.finegym:FineGym",
    "random_motions": "stages.sources.random_motions:RandomMotions",
    "skeleton_set": "stages.sources.skeleton_set:SkeletonSet",
    "pyskl": "stages.sources.pyskl:Pyskl",
    "synthetic": "stages.sources.synthetic:Synthetic",
    "decode": "stages.video.stage:Decode",
    "pose": "stages.pose.stage:Pose",
    "skeletons": "stages.pose.given:Skeletons",
    "cache": "stages.cache.stage:Cache",
    "cache_people": "stages.cache.people:CachePeople",
    "train": "stages.train.stage:Train",
    "pretrained": "stages.train.pretrained:Pretrained",
    "predict": "stages.predict.stage:Predict",
    "predict_people": "stages.predict.people:PredictPeople",
    "evaluate": "stages.predict.evaluate:Evaluate",
    "report": "stages.report.stage:Report",
    "explain": "stages.explanation.stage:Explain",
    "recognitions": "stages.recognitions.stage:Recognitions",
}
"""Stages, by the name that a manifest gives under ``uses``."""

COMMANDS = {
    "recognize": "stages.commands.recognition_cli:recognize",
    "explain": "stages.commands.cli:explain",
    "show": "stages.commands.skeleton_cli:show",
    "export": "stages.commands.skeleton_cli:export",
    "doctor": "stages.commands.cli:doctor",
    "layouts": "stages.commands.skeleton_cli:layouts",
    "check-videos": "stages.commands.cli:check_videos",
    "publish": "stages.commands.cli:publish",
    "models": "stages.commands.skeleton_cli:models",
}
"""Those commands of ``pipeline`` that know what the stages do, by name."""

API = {
    "run": "stages.api.runs:run",
    "Run": "stages.api.runs:Run",
    "recognize": "stages.api.recognition:recognize",
    "load_model": "stages.api.model:load_model",
}
"""What ``from pipeline import …`` gives Python programs, by name; ``pipeline/__init__.pyi`` says the types."""

CODE = ("stages", "recognizer")
"""Packages whose code affects what the stages compute: a plan says when it has changed."""

USABLE_GPUS = "stages.devices:usable_gpus"
"""Says how many GPUs a machine has that the stages can use."""
