"""What is known of the list's mail domains, kept in the database for all machines."""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, Engine, Select, delete, exists, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import col

from mailer.database.clock import Clock, read_clock
from mailer.database.provider_models import MailDomain
from mailer.providers.mx_lookup import MxAnswer
from mailer.providers.provider_table import ProviderTable
from subscribers.models import Status, Subscriber

# Names that are nobody's (RFC 2606, RFC 6761, RFC 7686): the DNS is not asked for them.
_RESERVED = ("test", "example", "invalid", "localhost", "local", "onion", "internal", "alt")
_RESERVED_DOMAINS = ("example.com", "example.net", "example.org")
# A domain that nobody on the list has any more is forgotten after this.
_FORGOTTEN_AFTER = timedelta(days=90)
# No domain has a line break in it.
_SEPARATOR = "\n"


def is_reserved(domain: str) -> bool:
    """Whether ``domain`` is one of the names that cannot receive mail from the Internet."""
    if domain.rpartition(".")[2] in _RESERVED:
        return True
    return any(domain == name or domain.endswith(f".{name}") for name in _RESERVED_DOMAINS)


def count_domains(connection: Connection) -> dict[str, int]:
    """How many active subscribers each mail domain has, the largest first."""
    counted = _select_counts(connection).subquery()
    statement = select(counted).order_by(counted.c.people.desc(), counted.c.domain)
    return {name: count for name, count in connection.execute(statement) if name}


def read_known_providers(
    connection: Connection, *, since: datetime | None = None, of: Collection[str] | None = None
) -> dict[str, str]:
    """The keys of the providers by domain, "" where there is none; with ``since``, what was added since.

    With ``of``, only the domains of these providers.
    """
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
    """The domains of active subscribers that the DNS has to be asked for, those of most people first."""
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
    domain = _domain_column(connection).label("domain")
    active = col(Subscriber.status) == Status.active
    return select(domain, func.count().label("people")).where(active).group_by(domain)


def _domain_column(connection: Connection) -> ColumnElement[str]:
    """The part of a subscriber's address after the @. Addresses with two of them are skipped by callers."""
    envelope = col(Subscriber.envelope)
    if connection.dialect.name == "sqlite":
        return func.lower(func.substr(envelope, func.instr(envelope, "@") + 1))
    return func.lower(func.split_part(envelope, "@", 2))
