"""Work that a background thread does again and again, whatever comes between."""

import logging
import threading
from collections.abc import Callable

from sqlalchemy.exc import SQLAlchemyError

from mailer.errors import ConfigurationError, MailerError

OBSTACLES: tuple[type[Exception], ...] = (SQLAlchemyError, MailerError, ConfigurationError)
"""What passes by itself, or until a person mends it."""


def repeat_work(
    work: Callable[[], object],
    *,
    stop: threading.Event,
    seconds: float,
    trouble: str,
    report: Callable[[str], None],
    log: logging.Logger,
    obstacles: tuple[type[Exception], ...] = OBSTACLES,
) -> None:
    """Do ``work`` until ``stop`` is set, with a pause of ``seconds`` each time.

    When one of the ``obstacles`` is in its way, ``report`` gets ``trouble`` and the error as one line, and
    not again while they stay the same. Any other exception is a fault in one piece of the work: it goes to
    ``log``, and must not hold up the others.
    """
    last_message = ""
    while not stop.is_set():
        message = ""
        try:
            work()
        except obstacles as error:
            message = f"{trouble}: {error}"
        except Exception:
            log.exception("%s, for a fault of the program.", trouble)
        if message and message != last_message:
            report(message)
        last_message = message
        stop.wait(seconds)
