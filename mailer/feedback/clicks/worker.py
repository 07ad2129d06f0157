"""Counts clicks in the background, for as long as the program runs."""

import threading
from datetime import datetime, timedelta
from typing import Final

from mailer.database.clock import Clock, read_clock
from mailer.feedback.clicks.click_counter import count_clicks, delete_old_clicks
from mailer.feedback.context import FeedbackContext

_LOOK_SECONDS: Final = 30.0


class ClickWatch:
    """Judges and counts clicks, and deletes those past their retention period."""

    def __init__(self, context: FeedbackContext, *, clock: Clock = read_clock) -> None:
        self._context = context
        self._clock = clock

    def run(self, stop: threading.Event) -> None:
        """Look every half a minute, until ``stop`` is set.

        Raises:
            SQLAlchemyError: the database failed; nothing is lost by calling this again.
        """
        while not stop.is_set():
            self.look()
            stop.wait(_LOOK_SECONDS)

    def look(self) -> int:
        """Count what is due; return how many requests."""
        with self._context.engine.connect().execution_options(read_only=True) as connection:
            now = self._clock(connection)
        return count_due_clicks(self._context, now=now)


def count_due_clicks(context: FeedbackContext, *, now: datetime) -> int:
    """Count what is due ``now`` and delete what is too old; return how many requests were counted.

    Raises:
        SQLAlchemyError: the database failed; nothing is lost by calling this again.
    """
    number = count_clicks(context.engine, now=now)
    keep = timedelta(hours=context.workspace.settings.retention.click_hours)
    delete_old_clicks(context.engine, before=now - keep)
    return number
