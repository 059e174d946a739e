"""Commands that know what the stages do. They may import the engine and all stages, and only
``stages/api``, which does the same from Python, imports them.

cli.py, skeleton_cli.py  the commands, which ``pipeline`` finds by name

recognition.py  ``recognize``: runs new videos through the stages of a trained run
explanation.py  ``explain``: draws what the model of a trained run attends to
showing.py      ``show``: draws people, in videos (showing_videos.py) and of a run (showing_run.py)
trained_run.py  finds the models of a run; stored_results.py the tables that it left in its store
skeleton_export.py  ``export``: writes the skeletons of a run for other software
models.py       ``models``: what pose models cost
layouts.py      ``layouts``: the joint layouts; layout_drawing.py draws one
video_check.py  what is unusual about videos
examination.py  ``doctor``: says what is missing; census.py counts the clips
"""
