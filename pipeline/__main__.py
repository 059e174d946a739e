"""``python -m pipeline``: the command line, even if ``pipeline`` is not on the path."""

from pipeline.cli import main

main()
