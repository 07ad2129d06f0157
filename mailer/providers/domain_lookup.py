"""Who receives the mail of the list's domains: asked of the DNS in the background, and kept."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Self

from sqlalchemy import ColumnElement, Connection, Engine, Select, delete, exists, func, literal_column, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import col

from mailer.background import repeat_work
from mailer.database.engine import Clock, read_clock
from mailer.database.feedback_models import MailDomain
from mailer.dns import make_resolver
from mailer.providers.provider_table import ProviderTable, load_providers
from mailer.settings import DnsSettings
from subscribers.models import Status, Subscriber

if TYPE_CHECKING:
    from dns.resolver import Answer, Resolver


# Who receives mail changes seldom, whatever a record's TTL says: most say an hour or less.
_SHORTEST = timedelta(days=1)
_LONGEST = timedelta(days=14)
_NO_MAIL = timedelta(days=2)
_UNANSWERED = timedelta(hours=1)
# Names that are nobody's (RFC 2606, RFC 6761, RFC 7686): the DNS is not asked for them.
_RESERVED = ("test", "example", "invalid", "localhost", "local", "onion", "internal", "alt")
_RESERVED_DOMAINS = ("example.com", "example.net", "example.org")
# A domain that nobody on the list has any more is forgotten after this.
_FORGOTTEN_AFTER = timedelta(days=90)
# No domain has a line break in it.
_SEPARATOR = "\n"
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


@dataclass(frozen=True, kw_only=True)
class MxAnswer:
    """Who receives the mail of ``domain``: the key of a provider, or "" for a server of its own or none, and
    if the DNS did not answer."""

    domain: str
    provider: str
    lasts: timedelta
    is_answered: bool = True


def look_up_provider(domain: str, resolver: Resolver, table: ProviderTable) -> MxAnswer:
    """Ask ``resolver`` for the MX of ``domain``, in A-labels. Never raises; takes as long as the resolver's
    ``lifetime``. The hosts of the lowest preference decide (RFC 5321, section 5.1): a backup elsewhere
    receives next to nothing."""
    from dns.exception import DNSException
    from dns.resolver import NXDOMAIN, YXDOMAIN

    try:
        answer = resolver.resolve(f"{domain}.", "MX", search=False, raise_on_no_answer=False)
    except (NXDOMAIN, YXDOMAIN):
        return MxAnswer(domain=domain, provider="", lasts=_NO_MAIL)
    except (DNSException, OSError, UnicodeError):
        return MxAnswer(domain=domain, provider="", lasts=_UNANSWERED, is_answered=False)
    if answer.rrset is None:
        return MxAnswer(domain=domain, provider="", lasts=_NO_MAIL)
    found = table.find_provider_of_mx(_list_preferred_hosts(answer))
    lasts = min(max(timedelta(seconds=answer.rrset.ttl), _SHORTEST), _LONGEST)
    return MxAnswer(domain=domain, provider=found.key if found else "", lasts=lasts)


def _list_preferred_hosts(answer: Answer) -> list[str]:
    lowest = min(record.preference for record in answer)
    return sorted(record.exchange.to_text() for record in answer if record.preference == lowest)


def is_reserved(domain: str) -> bool:
    """Return whether ``domain`` is one of the names that cannot receive mail from the Internet."""
    if domain.rpartition(".")[2] in _RESERVED:
        return True
    return any(domain == name or domain.endswith(f".{name}") for name in _RESERVED_DOMAINS)


def count_domains(connection: Connection) -> dict[str, int]:
    counted = _select_counts(connection).subquery()
    statement = select(counted).order_by(counted.c.people.desc(), counted.c.domain)
    return {name: count for name, count in connection.execute(statement) if name}


def read_known_providers(
    connection: Connection, *, since: datetime | None = None, of: Collection[str] | None = None
) -> dict[str, str]:
    """Return the keys of the providers by domain, "" where there is none; with ``since``, what was added
    since, and with ``of``, only the domains of these providers."""
    # One text for each provider: Python takes longer to fetch a row than the database to add a domain to it.
    domains = func.aggregate_strings(col(MailDomain.domain), _SEPARATOR)
    statement = select(col(MailDomain.provider), domains).group_by(col(MailDomain.provider))
    if since is not None:
        statement = statement.where(col(MailDomain.looked_up_at) >= since)
    if of is not None:
        statement = statement.where(col(MailDomain.provider).in_(of))
    known: dict[str, str] = {}
    for key, text in connection.execute(statement):
        known.update(dict.fromkeys(text.split(_SEPARATOR), key))
    return known


def list_unknown_domains(
    connection: Connection, table: ProviderTable, *, limit: int, clock: Clock = read_clock
) -> list[str]:
    """Return the domains that the DNS has to be asked for, those of most active subscribers first."""
    # Once all are known, this finds none: the database compares them, which leaves a campaign that is being
    # sent in the same process its time.
    counted = _select_counts(connection).subquery()
    is_current = exists().where(
        col(MailDomain.domain) == counted.c.domain, col(MailDomain.expires_at) > clock(connection)
    )
    unknown = select(counted.c.domain).where(~is_current)
    found: list[str] = []
    for domain in connection.scalars(unknown.order_by(counted.c.people.desc(), counted.c.domain)):
        if "." not in domain or "@" in domain or is_reserved(domain):
            continue
        if table.find_provider_of_domain(domain) is None:
            found.append(domain)
            if len(found) == limit:
                break
    return found


def save_answers(engine: Engine, answers: Iterable[MxAnswer], *, clock: Clock = read_clock) -> None:
    """Keep ``answers``; one that is no answer leaves what was known of its domain, and asks again soon."""
    insert = sqlite.insert if engine.dialect.name == "sqlite" else postgresql.insert
    answered: list[dict[str, object]] = []
    unanswered: list[dict[str, object]] = []
    with engine.begin() as connection:
        now = clock(connection)
        # In one order on all machines, so that two that save the same domains never wait for each other.
        for answer in sorted(answers, key=lambda each: each.domain):
            row = {
                "domain": answer.domain,
                "provider": answer.provider,
                "looked_up_at": now,
                "expires_at": now + answer.lasts,
            }
            (answered if answer.is_answered else unanswered).append(row)
        for rows, kept in ((answered, ()), (unanswered, ("provider",))):
            if rows:
                statement = insert(MailDomain)
                new = {name: statement.excluded[name] for name in rows[0] if name not in ("domain", *kept)}
                connection.execute(statement.on_conflict_do_update(index_elements=["domain"], set_=new), rows)
        connection.execute(delete(MailDomain).where(col(MailDomain.expires_at) < now - _FORGOTTEN_AFTER))


def forget_domain(connection: Connection, domain: str) -> None:
    """Forget ``domain``. If others on the list have it, it is looked up again."""
    connection.execute(delete(MailDomain).where(col(MailDomain.domain) == domain))


def _select_counts(connection: Connection) -> Select[str, int]:
    """Build the query for each mail ``domain`` with the number of its active ``people``."""
    domain = read_domain(connection).label("domain")
    active = col(Subscriber.status) == Status.active
    return select(domain, func.count().label("people")).where(active).group_by(domain)


def read_domain(connection: Connection) -> ColumnElement[str]:
    """Return the part of a subscriber's address after the @. Callers skip addresses with two of them."""
    envelope = col(Subscriber.envelope)
    # Literals, because PostgreSQL compares GROUP BY with SELECT including the parameters.
    if connection.dialect.name == "sqlite":
        after = func.instr(envelope, literal_column("'@'")) + literal_column("1")
        return func.lower(func.substr(envelope, after))
    return func.lower(func.split_part(envelope, literal_column("'@'"), literal_column("2")))


class BackgroundLookup:
    """Asks the DNS for the domains of active subscribers that are not known, in threads of its own.

    It asks for the domains of most people first, takes two hundredths of this process's time, and looks for
    new domains every ten minutes. A context manager: leaving it ends it at once, even if the DNS is silent.
    ``make_engine`` opens a database of its own.
    """

    def __init__(
        self,
        settings: DnsSettings,
        make_engine: Callable[[], Engine],
        *,
        clock: Clock = read_clock,
        share: float = _SHARE_OF_TIME,
    ) -> None:
        self._settings = settings
        self._make_engine = make_engine
        self._table = load_providers()
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
            repeat_work(
                lambda: self._look_up_all(engine),
                stop=self._stop,
                seconds=_PAUSE_SECONDS,
                trouble="Providers cannot be looked up at the moment",
                # Whoever sends says so; here it only means that nothing can be kept.
                report=_log.debug,
                log=_log,
                obstacles=(SQLAlchemyError,),
            )
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
    """Questions that several threads ask at the same time; the answers come in any order. The threads are
    left to themselves when it ends: one may wait for a silent server for seconds."""

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
        """Return the next answer; None if none came for a moment."""
        try:
            return self._answers.get(timeout=_WAKE_SECONDS)
        except queue.Empty:
            return None

    def give_up(self) -> None:
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
