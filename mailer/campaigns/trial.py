"""Trial mode: until the set-up is proven and a person ends it, campaigns go to test readers alone.

A new workspace is in trial mode. It ends when `mailer doctor` finds nothing bad and somebody says so by name;
GOV.UK Notify does the same. Letters that readers ask for, such as confirmations, are sent all the same.

What counts is who is written to: addresses at domains for examples are nobody's, so a set-up that is only for
trying things out sends to its invented partners. Where the relay is does not count, since one on this machine
is as real as any other.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from urllib.parse import urlsplit

from sqlalchemy import ColumnElement, Connection, and_, func, insert, or_, select
from sqlmodel import col

import templates
from locales.phrase import AND, Phrase, gettext_noop, join_phrases, join_sentences
from mailer.campaigns.recipients import is_in_audience
from mailer.database.models import TrialChange
from mailer.errors import MailerError
from mailer.network import RESERVED_DOMAINS, is_public_host
from mailer.settings import Settings
from mailer.utc import format_utc
from subscribers.address import normalise_address
from subscribers.errors import AddressError
from subscribers.models import Subscriber
from subscribers.segments.segment import Segment

_SAY_SO = gettext_noop("If you are that body, say so there, or add is_sample_body = true.")
_ADDRESSES = ("address", "reply_to", "bounces_to", "list_id")
"""At a domain reserved for examples, so they are nobody's."""
_IDENTITY = ("name", "organisation", "postal_address")
"""Of a body that exists, and may use this program too."""
_MAX_NAME_LENGTH = 200


def find_example_sender(settings: Settings) -> str:
    """Return which settings of the sender are still the example's, and what to do; empty if none is."""
    sender, example = settings.sender, _read_example()
    keys = _ADDRESSES if sender.is_sample_body else (*_ADDRESSES, *_IDENTITY)
    same = [key for key in keys if key in example and _normalise(getattr(sender, key)) == example[key]]
    if not same:
        return ""
    words = (
        gettext_noop(
            "[sender] %(keys)s are still that of the sample, so readers would get mail in the name "
            "of another body. Write your own in mailer.toml, or in Studio under Settings, Sender."
        )
        if len(same) > 1
        else gettext_noop(
            "[sender] %(keys)s is still that of the sample, so readers would get mail in the name of another "
            "body. Write your own in mailer.toml, or in Studio under Settings, Sender."
        )
    )
    fault = Phrase(words, keys=join_phrases(same, AND))
    return join_sentences([fault, _SAY_SO]) if set(same) <= set(_IDENTITY) else fault


def shows_sample_body(settings: Settings) -> bool:
    """Return whether the sender's name, organisation or postal address is that of the body in the sample."""
    sender, example = settings.sender, _read_example()
    return any(key in example and _normalise(getattr(sender, key)) == example[key] for key in _IDENTITY)


@cache
def _read_example() -> Mapping[str, str]:
    """Return the sender that `mailer init --sample` writes."""
    values = tomllib.loads((templates.ROOT / "workspace" / "example.toml").read_text(encoding="utf-8"))
    return {key: _normalise(value) for key, value in values["sender"].items()}


def _normalise(text: str) -> str:
    return " ".join(text.casefold().split())


class TrialError(MailerError):
    """Trial mode cannot be ended or begun in this way."""


@dataclass(frozen=True, kw_only=True)
class Trial:
    """The trial mode of a workspace: whether it is on, and who decided that and when; "" and None if nobody
    has."""

    is_on: bool
    by: str = ""
    at: datetime | None = None

    def __str__(self) -> str:
        return str(self.describe())

    def describe(self) -> str:
        if not (self.at and self.by):
            return (
                gettext_noop("trial mode is on: campaigns go to test readers alone")
                if self.is_on
                else gettext_noop("trial mode has ended: campaigns go to everybody they are for")
            )
        return Phrase(
            gettext_noop("trial mode is on, since %(time)s by %(name)s: campaigns go to test readers alone")
            if self.is_on
            else gettext_noop(
                "trial mode has ended, %(time)s by %(name)s: campaigns go to everybody they are for"
            ),
            time=format_utc(self.at),
            name=self.by,
        )

    def as_dict(self) -> dict[str, object]:
        return {"trial": self.is_on, "by": self.by, "at": self.at}


def read_trial(connection: Connection) -> Trial:
    columns = (col(TrialChange.ends), col(TrialChange.decided_by), col(TrialChange.decided_at))
    last = connection.execute(select(*columns).order_by(col(TrialChange.id).desc()).limit(1)).first()
    if last is None:
        return Trial(is_on=True)
    return Trial(is_on=not last.ends, by=last.decided_by, at=last.decided_at)


def find_private_links(settings: Settings) -> str:
    """Return why partners cannot open the links in the mail, such as those to unsubscribe; "" if they can."""
    base_url = settings.web.base_url
    if is_public_host(urlsplit(base_url).hostname or ""):
        return ""
    words = gettext_noop(
        "The links in the mail lead to %(address)s, which partners cannot open, so they could not "
        "unsubscribe."
    )
    return Phrase(words, address=base_url)


def end_trial(connection: Connection, *, by: str, now: datetime, faults: Sequence[str]) -> Trial:
    """Record that ``by`` ends trial mode. Raise TrialError if `mailer doctor` found ``faults``, or ``by`` is
    not a valid name."""
    name = _read_name(by)
    if faults:
        lines = "\n".join(f"  {fault}" for fault in faults)
        raise TrialError(
            f"Trial mode goes on, because `mailer doctor` finds {len(faults)} bad "
            f"{'thing' if len(faults) == 1 else 'things'}. Mend this, then end it:\n{lines}"
        )
    before = read_trial(connection)
    return _record(connection, ends=True, by=name, now=now) if before.is_on else before


def begin_trial(connection: Connection, *, by: str, now: datetime) -> Trial:
    """Record that ``by`` begins trial mode again. Campaigns that were launched go on. Raise TrialError if
    ``by`` is not a valid name."""
    name = _read_name(by)
    before = read_trial(connection)
    return before if before.is_on else _record(connection, ends=False, by=name, now=now)


def find_trial_fault(
    connection: Connection, settings: Settings, segment: Segment, edition: str, *, today: date, again: bool
) -> str:
    """Return why a campaign may go to test readers alone: how many others there are in trial mode, or that
    they could not open the links; "" if it may go to all. Addresses for examples are nobody's."""
    is_on, links = read_trial(connection).is_on, find_private_links(settings)
    if not (is_on or links):
        return ""
    audience = is_in_audience(segment, edition, today, again=again, law=settings.law)
    others = and_(col(Subscriber.email).not_in(_list_test_readers(settings)), ~_is_example())
    count = connection.execute(select(func.count()).select_from(Subscriber).where(and_(audience, others)))
    if not (number := count.scalar_one()):
        return ""
    if not is_on:
        return links
    words = (
        gettext_noop("This workspace is in trial mode, and 1 reader is not in [campaigns] test_readers.")
        if number == 1
        else gettext_noop(
            "This workspace is in trial mode, and %(number)s readers are not in [campaigns] test_readers."
        )
        % {"number": f"{number:,}"}
    )
    return join_sentences([words, links]) if links else words


def describe_way_out(edition: str) -> str:
    """Return what to do at a terminal about trial mode; Studio has a page for it."""
    return Phrase(
        gettext_noop(
            "Send a test with `mailer send %(edition)s --test ADDRESS`. When `mailer doctor` finds nothing "
            "bad, end trial mode with `mailer trial end --by NAME`."
        ),
        edition=edition,
    )


def _is_example() -> ColumnElement[bool]:
    address = col(Subscriber.envelope)
    return or_(*(address.endswith(f"{sign}{name}") for name in RESERVED_DOMAINS for sign in "@."))


def _list_test_readers(settings: Settings) -> list[str]:
    addresses = []
    for text in settings.campaigns.test_readers:
        try:
            addresses.append(normalise_address(text).email)
        except AddressError:
            # `mailer send --test` names it; nobody on the list can have it.
            continue
    return addresses


def _read_name(by: str) -> str:
    name = " ".join(by.split())
    if not name.isprintable() or not 0 < len(name) <= _MAX_NAME_LENGTH:
        raise TrialError(f"Say who decides it: --by NAME, in at most {_MAX_NAME_LENGTH} characters.")
    return name


def _record(connection: Connection, *, ends: bool, by: str, now: datetime) -> Trial:
    connection.execute(insert(TrialChange).values(ends=ends, decided_by=by, decided_at=now))
    return read_trial(connection)
