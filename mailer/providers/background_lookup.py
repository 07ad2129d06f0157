"""Looks up who receives the list's domains, beside everything else: nothing ever waits for it."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Self

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from mailer.database.clock import Clock, read_clock
from mailer.dns import make_resolver
from mailer.providers.domain_cache import list_unknown_domains, save_answers
from mailer.providers.mx_lookup import MxAnswer, look_up_provider
from mailer.providers.provider_table import ProviderTable, load_providers
from mailer.settings import DnsSettings

if TYPE_CHECKING:
    from dns.resolver import Resolver

_QUESTIONS_AT_ONCE = 8
# Python runs one thread at a time: what this takes of it, a campaign does not have.
_SHARE_OF_TIME = 0.02
_CHUNK = 5_000
_SAVE_SECONDS = 2.0
# So many first questions without an answer: the DNS is down, or we are cut off from it.
_HOPELESS = 16
_PAUSE_SECONDS = 600.0
_WAKE_SECONDS = 0.2
_log = logging.getLogger(__name__)


class BackgroundLookup:
    """Asks the DNS for the domains of active subscribers that are not known, in threads of its own.

    It asks for the domains of most people first, takes two hundredths of this process's time, and looks for
    new domains every ten minutes. A context manager: leaving it ends it at once, even if the DNS is silent.
    With ``[dns] look_up_providers = false`` it does nothing. ``make_engine`` opens a database of its own.
    """

    def __init__(
        self,
        settings: DnsSettings,
        make_engine: Callable[[], Engine],
        *,
        table: ProviderTable | None = None,
        clock: Clock = read_clock,
        share: float = _SHARE_OF_TIME,
    ) -> None:
        self._settings = settings
        self._make_engine = make_engine
        self._table = table or load_providers()
        self._clock = clock
        self._share = share
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="mailer-providers", daemon=True)

    def __enter__(self) -> Self:
        if self._settings.look_up_providers:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _work(self) -> None:
        engine = self._make_engine()
        try:
            while not self._stop.is_set():
                try:
                    self._look_up_all(engine)
                except SQLAlchemyError as error:
                    # Whoever sends says so; here it only means that nothing can be kept.
                    _log.debug("Could not look up providers: %s", type(error).__name__)
                except Exception:
                    _log.exception("Looking up providers failed.")
                self._stop.wait(_PAUSE_SECONDS)
        finally:
            engine.dispose()

    def _look_up_all(self, engine: Engine) -> None:
        while not self._stop.is_set():
            with engine.connect().execution_options(read_only=True) as connection:
                domains = list_unknown_domains(connection, self._table, limit=_CHUNK, clock=self._clock)
            if not domains:
                return
            # Where all domains are known, a campaign is not kept waiting for an import either.
            from dns.resolver import NoResolverConfiguration

            try:
                resolver = make_resolver(self._settings)
            except NoResolverConfiguration:
                # This machine has no DNS; the doctor says so.
                return
            questions = _Questions(domains, resolver, self._table, self._stop, share=self._share)
            if not self._save_as_they_come(engine, questions):
                return

    def _save_as_they_come(self, engine: Engine, questions: _Questions) -> bool:
        """Save the answers of a chunk every two seconds; return whether the DNS answers at all."""
        unsaved: list[MxAnswer] = []
        saved_at, count, is_answering = time.monotonic(), 0, False
        while count < questions.number and not self._stop.is_set():
            if (answer := questions.next_answer()) is not None:
                count += 1
                unsaved.append(answer)
                is_answering = is_answering or answer.is_answered
            if count >= _HOPELESS and not is_answering:
                questions.give_up()
                break
            if unsaved and time.monotonic() - saved_at >= _SAVE_SECONDS:
                save_answers(engine, unsaved, clock=self._clock)
                unsaved, saved_at = [], time.monotonic()
        if unsaved:
            save_answers(engine, unsaved, clock=self._clock)
        return is_answering


class _Questions:
    """Questions that several threads ask at the same time; the answers come in any order.

    The threads are left to themselves when it ends: one may wait for a silent server for seconds.
    """

    def __init__(
        self,
        domains: Sequence[str],
        resolver: Resolver,
        table: ProviderTable,
        stop: threading.Event,
        *,
        share: float,
    ) -> None:
        self.number = len(domains)
        self._resolver = resolver
        self._table = table
        self._stop = stop
        self._given_up = threading.Event()
        self._wait_per_second = _QUESTIONS_AT_ONCE / share - 1 if share < 1 else 0.0
        self._domains: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[MxAnswer] = queue.SimpleQueue()
        for domain in domains:
            self._domains.put(domain)
        for _ in range(min(_QUESTIONS_AT_ONCE, len(domains))):
            threading.Thread(target=self._ask, name="mailer-mx", daemon=True).start()

    def next_answer(self) -> MxAnswer | None:
        """The next answer; None if none came for a moment."""
        try:
            return self._answers.get(timeout=_WAKE_SECONDS)
        except queue.Empty:
            return None

    def give_up(self) -> None:
        """Ask no more."""
        self._given_up.set()

    def _ask(self) -> None:
        while not self._stop.is_set() and not self._given_up.is_set():
            try:
                domain = self._domains.get_nowait()
            except queue.Empty:
                return
            started = time.thread_time()
            self._answers.put(look_up_provider(domain, self._resolver, self._table))
            self._stop.wait((time.thread_time() - started) * self._wait_per_second)
