"""The command ``pipeline``, also as ``python -m pipeline``. It may be interrupted from its first moment."""

import os
import signal
import sys

from pipeline.errors import INTERRUPTED


def main() -> None:
    """Run the command line. If it is interrupted, at whatever point, say so in one sentence."""
    # SIGTERM, which schedulers of clusters and time limits send, ends a run like Ctrl-C. All other imports take longer
    # than a scheduler may wait.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        from pipeline.cli import command_line

        command_line()
    except KeyboardInterrupt:
        pass
    except SystemExit as end:
        if end.code != INTERRUPTED:
            raise
    sys.stderr.write("pipeline: interrupted; what is done is kept: run the same command again to resume\n")
    sys.stderr.flush()
    # Not sys.exit: Python would end itself by SIGINT where Ctrl-C came while it executed a string, as namedtuple does.
    os._exit(INTERRUPTED)


if __name__ == "__main__":
    main()
