"""The errors that the engine raises on purpose. Their texts say what is wrong, where, and what to do about it."""

import errno

PASSING = frozenset(
    number
    for name in (
        *("EIO", "ESTALE", "ETIMEDOUT", "EREMOTEIO"),
        "EBUSY",  # what S3's library makes of a service that asks to be asked less often
        *("ECONNRESET", "ECONNREFUSED", "ECONNABORTED", "ENOTCONN", "ESHUTDOWN"),
        *("ENETDOWN", "ENETUNREACH", "ENETRESET", "EHOSTDOWN", "EHOSTUNREACH"),
    )
    if (number := getattr(errno, name, None)) is not None
)
"""What file systems answer when a disk or a network fails for the moment."""
PASSING_CODES = frozenset({"RequestTimeout"})
"""The same in the words of a service whose library turns them into something else."""
STRANGER_CODES = frozenset(
    {"ExpiredToken", "InvalidToken", "TokenRefreshRequired", "RequestTimeTooSkewed"}
    | {"InvalidAccessKeyId", "SignatureDoesNotMatch", "NotSignedUp", "AccountProblem"}
    | {"400"}  # so a service answers a question without a body, such as of a file's state, whose asker it does not know
)
"""What a service answers to whoever it does not let in, whatever is asked for."""
INTERRUPTED = 130
"""The exit code that shells report for a program ended by Ctrl-C."""


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


class MissingResultError(DamagedResultError):
    """A result that is known to have been made is not in the store, as the machine that needs it sees it."""


class UnreadableError(StageError):
    """A file cannot be read at the moment, although it was tried again for some time: its disk or network fails."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(path, reason)
        self.path = path
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.path} cannot be read, although it was tried again for half a minute: {self.reason}"


class ClipError(Exception):
    """One clip cannot be processed. The text becomes the ``error`` of its row, and the run continues."""


def is_passing(error: BaseException) -> bool:
    """Whether this error, or the one that it was made of, may be gone soon: a disk or a network fails. Files that do
    not exist or are damaged stay so."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, PipelineError):
            return False
        if code_of(seen) in PASSING_CODES:
            return True
        if isinstance(seen, OSError) and seen.errno is not None:
            return seen.errno in PASSING
        # Subclasses of these are those of network libraries; TimeoutError itself is raised by our own time limit.
        if isinstance(seen, ConnectionError | TimeoutError) and type(seen) is not TimeoutError:
            return True
        seen = seen.__cause__ or seen.__context__
    return False


def is_of_a_stranger(error: BaseException) -> bool:
    """Whether a service does not know who asks, for example since credentials have expired: that is no file's fault."""
    return bool({code_of(error), code_of(error.__cause__)} & STRANGER_CODES)


def code_of(error: BaseException | None) -> str | None:
    """What a service of S3's kind calls an error that its library has raised."""
    response = getattr(error, "response", None)
    return response.get("Error", {}).get("Code") if isinstance(response, dict) else None
