"""The errors that the engine raises on purpose. Their texts say what is wrong, where, and what to do about it."""


class PipelineError(Exception):
    """An error for people, printed without a traceback.

    ``exit_code`` is that of the command line: 1 the work failed, 2 the request was wrong.
    """

    exit_code = 1


class ManifestError(PipelineError):
    """The manifest, an option or a path is wrong; nothing has been run."""

    exit_code = 2


class StageError(PipelineError):
    """A stage cannot work at all (a model that does not load, a full disk), whatever the clip."""


class DamagedResultError(StageError):
    """A file of the store cannot be read as it was written. A run sets it aside and computes it again."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path} is damaged: {self.reason}. The next run sets it aside and computes it again"


class ClipError(Exception):
    """One clip cannot be processed. The text becomes the ``error`` of its row, and the run continues."""
