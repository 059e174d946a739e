"""The progress of a stage that reports it, and how much longer it will take."""

from pipeline.events import Event
from pipeline.texts import duration, figures_text


class Pace:
    """Follows one stage's ``progress`` events."""

    def __init__(self) -> None:
        self._first: Event | None = None

    def text(self, event: Event) -> str:
        """``120 of 400, epoch 3, loss 1.234, 2 min 05 s left``.

        The time left is estimated from the mean rate so far. What a resumed stage had done before its first event
        counts neither as work nor as time.
        """
        if self._first is None or event["done"] < self._first["done"]:
            self._first = event
        parts = [f"{event['done']:g} of {event['total']:g}", figures_text(event["figures"])]
        done = event["done"] - self._first["done"]
        if done > 0 and event["done"] < event["total"]:
            seconds = (event["time"] - self._first["time"]) / done * (event["total"] - event["done"])
            parts.append(f"{duration(seconds)} left")
        return ", ".join(filter(None, parts))
