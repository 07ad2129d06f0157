"""Which content of an edition was tested, by whom and when, and whether it is still the same."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update
from sqlmodel import Session, col

from editions.errors import EditionError
from locales.phrase import Phrase, gettext_noop
from mailer.campaigns.content_changes import GONE, NEWER_PROGRAM, list_content_changes
from mailer.campaigns.correction_record import SEPARATOR
from mailer.campaigns.current_content import compile_content, digest_content
from mailer.database.models import Campaign, CampaignContent, CampaignState, SentTest
from mailer.errors import ConfigurationError, TemplateError
from mailer.rendering.compiled_edition import CompiledEdition, CompiledVersionError
from mailer.utc import format_utc
from mailer.workspace import Workspace

_NOT_LAUNCHED = frozenset(
    {CampaignState.draft, CampaignState.tested, CampaignState.approved, CampaignState.scheduled}
)


@dataclass(frozen=True, kw_only=True)
class ContentTest:
    """The last test of a content: sent ``by`` whom, ``at`` what time (aware), to which ``addresses``.

    ``addresses`` are empty once the retention period is over. ``changes`` lists what has changed in the
    edition since; if anything has, the test says nothing about it any more.
    """

    by: str
    at: datetime
    addresses: tuple[str, ...]
    changes: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        return not self.changes

    def as_dict(self) -> dict[str, Any]:
        """The test in the form of the JSON output."""
        lists = {"addresses": list(self.addresses), "changes": list(self.changes)}
        return {**asdict(self), "at": self.at.isoformat(), "holds": self.holds, **lists}

    def __str__(self) -> str:
        by = f" by {self.by}" if self.by else ""
        words = f"tested{by}, {format_utc(self.at)}"
        return words if self.holds else f"{words}; changed since: {'; '.join(self.changes)}"


@dataclass(frozen=True, kw_only=True)
class CampaignTest:
    """What is known about tests of a campaign: its ``state`` in that light, the last ``test`` if there is
    one, and whether there is still a ``test_ahead``: it is not launched, and what it has was not tested."""

    state: CampaignState
    test: ContentTest | None
    test_ahead: bool


def begin_tests(
    connection: Connection,
    edition: str,
    content_digest: str,
    addresses: Iterable[str],
    *,
    by: str,
    now: datetime,
) -> Mapping[str, int]:
    """Record that the content is about to be sent to ``addresses`` as a test; return the number of each.

    The caller commits before it sends, as with the deliveries of a campaign, so that a test whose sender dies
    is in doubt and not forgotten.
    """
    rows = [
        {
            "edition": edition,
            "content_digest": content_digest,
            "address": address,
            "sent_by": by,
            "sent_at": now,
            "is_in_doubt": True,
        }
        for address in addresses
    ]
    made = connection.execute(insert(SentTest).returning(col(SentTest.address), col(SentTest.id)), rows)
    return {address: number or 0 for address, number in made}


def end_tests(connection: Connection, *, sent: Collection[int], not_sent: Collection[int]) -> None:
    """Record which tests a relay has accepted, and forget those that nobody got; the others stay in doubt.
    The caller commits."""
    number = col(SentTest.id)
    connection.execute(update(SentTest).where(number.in_(sent)).values(is_in_doubt=False))
    connection.execute(delete(SentTest).where(number.in_(not_sent)))


def find_test(connection: Connection, edition: str, content_digest: str) -> ContentTest | None:
    """Find the last test of a content that a relay took; None if there is none."""
    tests = (
        select(col(SentTest.sent_by), col(SentTest.sent_at), col(SentTest.address))
        .where(col(SentTest.edition) == edition, col(SentTest.content_digest) == content_digest)
        .where(~col(SentTest.is_in_doubt))
        .order_by(col(SentTest.sent_at).desc(), col(SentTest.id))
    )
    rows = connection.execute(tests).all() if content_digest else []
    if not rows:
        return None
    first = rows[0]
    together = (row.address for row in rows if row.sent_at == first.sent_at)
    return ContentTest(
        by=first.sent_by, at=first.sent_at, addresses=tuple(address for address in together if address)
    )


def check_test(session: Session, workspace: Workspace, campaign_id: int) -> CampaignTest:
    """Say whether a campaign's content was tested, and for a draft whether that is still the edition.

    The content of any other campaign is frozen, so a test of it goes on counting.
    """
    connection = session.connection()
    columns = (col(Campaign.edition), col(Campaign.state), col(Campaign.content_digest))
    row = connection.execute(select(*columns).where(col(Campaign.id) == campaign_id)).one()
    test, state = find_test(connection, row.edition, row.content_digest), row.state
    if state in {CampaignState.draft, CampaignState.tested}:
        if test is not None:
            changes = _list_changes(connection, workspace, campaign_id, row.edition, row.content_digest)
            test = replace(test, changes=changes)
        state = CampaignState.tested if test and test.holds else CampaignState.draft
    # A correction is urgent and short, and no command tests one.
    ahead = state in _NOT_LAUNCHED and SEPARATOR not in row.edition and not (test and test.holds)
    return CampaignTest(state=state, test=test, test_ahead=ahead)


def _list_changes(
    connection: Connection, workspace: Workspace, campaign_id: int, edition: str, digest: str
) -> tuple[str, ...]:
    """List what has changed in the edition since the content of a draft was frozen."""
    try:
        compiled = compile_content(workspace, edition)
    except (ConfigurationError, EditionError, TemplateError):
        return (Phrase(GONE, edition=edition),)
    if digest_content(edition, compiled) == digest:
        return ()
    contents = select(col(CampaignContent.body)).where(col(CampaignContent.campaign_id) == campaign_id)
    try:
        frozen = [CompiledEdition.from_bytes(body) for body in connection.scalars(contents)]
    except CompiledVersionError:
        return (Phrase(NEWER_PROGRAM),)
    return tuple(list_content_changes(frozen, compiled)) or (
        Phrase(gettext_noop("the theme, or how the mail is laid out")),
    )
