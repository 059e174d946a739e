"""Every error the engine raises on purpose: what is wrong, where, and what to do about it."""


class PipelineError(Exception):
    """An error a person is meant to read; printed as one line, without a traceback.

    ``exit_code`` follows the command line's promise: 1 the work failed, 2 the request was wrong.
    """

    exit_code = 1


class ManifestError(PipelineError):
    """The manifest, an option or a path given by the user is wrong; nothing has been run."""

    exit_code = 2


class StageError(PipelineError):
    """A stage cannot work at all (a model that does not load, a full disk): no single clip is to blame."""


class ClipError(Exception):
    """One clip cannot be processed; the text becomes the ``error`` of its row and the run goes on."""
