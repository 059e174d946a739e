"""Commands that know what the stages do. They may import the engine and all stages, and nothing imports them.

cli.py          the commands, which ``pipeline`` finds by name
recognition.py  ``recognize``: runs new videos through the stages of a trained run
explanation.py  ``explain``: draws what the model of a trained run attends to
trained_run.py  finds the models of a run, for both
layouts.py      ``layouts``: the joint layouts; layout_drawing.py draws one
video_check.py  what is unusual about videos
examination.py  ``doctor``: says what is missing
"""
