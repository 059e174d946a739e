"""Commands that know what the stages do: they stand above both the engine and the stages, and nothing imports them.

cli.py          the commands themselves, which ``pipeline`` finds by name
recognition.py  new videos through a trained run's stages
explanation.py  what a trained run's model looks at
trained_run.py  what the two ask of a run
examination.py  what ``doctor`` looks at
"""
