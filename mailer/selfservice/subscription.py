"""From the token in a link to its subscriber, and what their pages may show of the subscription."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Engine
from sqlmodel import Session, select

from mailer.database.engine import open_session, read_clock
from mailer.database.models import Campaign, CampaignContent
from mailer.dispatch.ledger_changes import mark_sent_by_evidence, name_consent_source
from mailer.rendering.body.variants import choose_language
from mailer.workspace import Keys
from subscribers.consent.status_changes import GONE_STATUSES
from subscribers.errors import LinkOfTestError, RetiredKeyError, TokenError
from subscribers.models import ConsentEvent, Status, Subscriber, Suppression
from subscribers.one_time_links import check_link, use_link
from subscribers.queries import find_kept_subscriber
from subscribers.tokens import LinkPurpose, TokenPayload


@dataclass(frozen=True, kw_only=True)
class SubscriptionSummary:
    """A reader's subscription, as far as anyone who holds their link may see it.

    Addresses are masked, and empty for an erased reader. ``may_return`` says whether the reader can
    resubscribe with a button. ``language`` is that of the email the link came in, as a BCP 47 tag, empty if
    not known.
    """

    address: str
    status: Status
    may_return: bool
    language: str = ""
    new_address: str = ""

    @property
    def is_member(self) -> bool:
        return self.status not in GONE_STATUSES

    @property
    def gets_mail(self) -> bool:
        return self.status in {Status.active, Status.paused}


@dataclass(frozen=True, kw_only=True)
class LinkedSubscriber:
    """The subscriber behind a link, in an open database session. The caller commits.

    ``campaign_id`` is that of the email the link came in, 0 if it came in none. ``addressee_id`` is whom that
    email was for: somebody else than ``subscriber_id`` if they were merged since.
    """

    session: Session
    keys: Keys
    subscriber: Subscriber
    addressee_id: int
    campaign_id: int = 0
    new_address: str = ""

    @property
    def subscriber_id(self) -> int:
        return self.subscriber.id or 0

    @property
    def source(self) -> str:
        """Where the link came from, for consent records."""
        return name_consent_source(self.campaign_id)

    def summarise(self) -> SubscriptionSummary:
        is_erased = self.subscriber.status is Status.erased
        may_return = not is_erased and self.subscriber.status in GONE_STATUSES
        return SubscriptionSummary(
            address="" if is_erased else mask_address(self.subscriber.email),
            status=self.subscriber.status,
            may_return=may_return and not self._is_suppressed_by_team(),
            language=self._read_mail_language(),
            new_address=mask_address(self.new_address) if self.new_address else "",
        )

    def confirm_delivery(self, evidence: str, now: datetime) -> None:
        """Mark the email's delivery as sent if it was in doubt: who acts through its link has received it.
        Only for POST requests: a scanner that opens links has the email too.
        """
        mark_sent_by_evidence(self.session.connection(), self.campaign_id, self.addressee_id, evidence, now)

    def sign_token(self) -> str:
        """Sign a token for the reader's own pages. It belongs to no campaign, so it proves no delivery."""
        return self.keys.tokens.newest().sign(
            LinkPurpose.subscription, subscriber_id=self.subscriber_id, campaign_id=0
        )

    def _read_mail_language(self) -> str:
        """Return the language of the email the link came in; without a campaign, the reader's own."""
        own = self.subscriber.language or ""
        campaign = self.session.get(Campaign, self.campaign_id)
        if campaign is None:
            return own
        frozen = select(CampaignContent.language).where(CampaignContent.campaign_id == campaign.id)
        languages = sorted(self.session.exec(frozen), key=lambda tag: tag != campaign.language)
        return choose_language(own, languages) if languages else own

    def _is_suppressed_by_team(self) -> bool:
        suppression = self.session.get(Suppression, self.keys.suppression.digest(self.subscriber.email))
        return suppression is not None and suppression.reason is ConsentEvent.suppressed


@contextmanager
def open_subscription(
    engine: Engine, keys: Keys, token: str, *, read_only: bool = False, allow_erased: bool = False
) -> Iterator[LinkedSubscriber]:
    """Open the subscription behind the token of a newsletter's link. Raise TokenError if the token is
    invalid, or its subscriber is not on the list or was erased; and its subclass RetiredKeyError if its key
    was retired, or was replaced before its campaign was launched.
    """
    payload = read_token(keys, token)
    with open_session(engine, read_only=read_only) as session:
        verify_campaign(session, payload)
        yield load_subscriber(
            session, keys, payload.subscriber_id, campaign_id=payload.campaign_id, allow_erased=allow_erased
        )


@contextmanager
def open_link(
    engine: Engine, keys: Keys, token: str, purpose: LinkPurpose, *, use: bool
) -> Iterator[tuple[LinkedSubscriber, datetime]]:
    """Open the subscription behind the token of a one-time link, with the time. With ``use`` the link is used
    up, once the caller commits; without it the session is read-only. Raise TokenError if the link is invalid,
    used or expired, or its subscriber was erased.
    """
    with open_session(engine, read_only=not use) as session:
        now = read_clock(session.connection())
        link = (use_link if use else check_link)(session, keys.tokens, token, purpose, now=now)
        yield load_subscriber(session, keys, link.subscriber_id, new_address=link.detail), now


def read_token(keys: Keys, token: str) -> TokenPayload:
    """Verify the token of a newsletter's link and return what it says. Raise TokenError if it is invalid, and
    of its subclasses LinkOfTestError if the newsletter was a test, RetiredKeyError if its key was retired.
    """
    try:
        return keys.tokens.read(token, LinkPurpose.subscription)
    except RetiredKeyError:
        raise
    except TokenError:
        if keys.tokens.is_test(token):
            raise LinkOfTestError from None
        raise


def verify_campaign(session: Session, payload: TokenPayload) -> None:
    """Check that the key of a link was still in use when its campaign was launched; raise RetiredKeyError if
    it was not. With a key that was stolen and then replaced, a link can be made in the name of any campaign.
    One that was launched later, or never, cannot have been signed by us.
    """
    if payload.last_day is None or payload.campaign_id == 0:
        return
    campaign = session.get(Campaign, payload.campaign_id)
    launched_at = None if campaign is None else campaign.launched_at
    if launched_at is None or launched_at.astimezone(UTC).date() > payload.last_day:
        raise RetiredKeyError


def mask_address(address: str) -> str:
    """Mask ``mei.lin@example.org`` as ``m…@e…org``: its owner recognises it, and nobody else learns it."""
    local, _, domain = address.rpartition("@")
    first, _, last = domain.rpartition(".")
    return f"{local[:1]}…@{first[:1]}…{last}"


def load_subscriber(
    session: Session,
    keys: Keys,
    subscriber_id: int,
    *,
    campaign_id: int = 0,
    new_address: str = "",
    allow_erased: bool = False,
) -> LinkedSubscriber:
    """Load the subscriber a genuine link names, or the one they were merged into. Raise TokenError if there
    is no such subscriber, or it was erased. The same error as for an invalid token.
    """
    named = session.get(Subscriber, subscriber_id)
    subscriber = None if named is None else find_kept_subscriber(session, named)
    if subscriber is None or (subscriber.status is Status.erased and not allow_erased):
        raise TokenError
    return LinkedSubscriber(
        session=session,
        keys=keys,
        subscriber=subscriber,
        addressee_id=subscriber_id,
        campaign_id=campaign_id,
        new_address=new_address,
    )
