"""What comes back of a job: its outcome or its error, and what was printed meanwhile."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import NamedTuple

from pipeline.errors import PipelineError, StageError
from pipeline.jobs import Outcome
from pipeline.output import LIMIT, LITTLE, Printed, Take, note_error


class Answer(NamedTuple):
    result: Outcome | Exception
    printed: Printed | None

    def portable(self) -> "Answer":
        """The same without errors of classes that another process may be unable to import."""
        error = self.result
        if isinstance(error, Outcome | PipelineError):
            return self
        return self._replace(result=StageError(f"{type(error).__name__}: {error}"))


def answer(name: str, work: Callable[[], Outcome], output: AbstractContextManager[Take]) -> Answer:
    """Do the work of the stage ``name``. output: ``into_file(…)`` in a worker process, ``overheard()`` in others."""
    result: Outcome | Exception
    with output as take:
        try:
            result = work()
        except Exception as error:
            note_error(name)
            result = error
        except BaseException:
            note_error(name)
            raise
        well = isinstance(result, Outcome) and not result.failed
        return Answer(result, take(LITTLE if well else LIMIT))
