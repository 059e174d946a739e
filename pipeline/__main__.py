"""``python -m pipeline``: the command line where the console command is not on the path."""

from pipeline.cli import main

main()
