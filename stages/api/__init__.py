"""What Python programs and notebooks call: ``from pipeline import run, recognize, load_model, Run``.

running.py      runs a manifest
runs.py         ``run`` and ``Run``: what a run made
recognition.py  ``recognize``: videos to a table, with store and workers as the command has them
model.py        ``load_model``: one video or array of frames at a time, in this process, without files
in_memory.py    carries tables from stage to stage in memory
notebook.py     how results show themselves in notebooks
"""
