"""Versions of the readers of skeleton files. Apart from the readers, so that planning need not import them."""

VERSIONS = {".skeleton": 2, ".json": 2, ".csv": 2}
"""By extension, for a reader that has come to give something else than at first. The index names it beside the file's
size and time, so that it is part of keys: results from files of this format are made again, and no others."""
