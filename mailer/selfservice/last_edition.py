"""How the last edition would have looked with a reader's preferences, saved or not. Only reads."""

from dataclasses import dataclass

from sqlalchemy import Engine, or_
from sqlmodel import Session, col, exists, select

from mailer.database.models import (
    Campaign,
    CampaignContent,
    CampaignState,
    Correction,
    Delivery,
    DeliveryState,
)
from mailer.rendering.body.variants import Variant, choose_language
from mailer.rendering.compiled_edition import CompiledEdition, CompiledVersionError
from mailer.rendering.recipient import interests_of
from mailer.selfservice.preferences import PreferencesForm
from mailer.selfservice.subscription import open_subscription
from mailer.workspace import Keys

_LAUNCHED_STATES = (CampaignState.sending, CampaignState.paused, CampaignState.finished)
_DELIVERED_STATES = (DeliveryState.sent, DeliveryState.in_doubt)


@dataclass(frozen=True, kw_only=True)
class LastEdition:
    """The last edition sent, and the variant that fits the reader's preferences."""

    content: CompiledEdition
    variant: Variant


def has_last_edition(engine: Engine, keys: Keys, token: str) -> bool:
    """Return whether there is an edition to show to the reader behind ``token``.

    Raises:
        TokenError: the token is invalid, or its subscriber is not on the list or was erased.
    """
    with open_subscription(engine, keys, token, read_only=True) as reader:
        return _find_last_campaign(reader.session, reader.subscriber_id) is not None


def find_last_edition(engine: Engine, keys: Keys, token: str, form: PreferencesForm) -> LastEdition | None:
    """Find the last edition that the reader received or anyone may read, in the variant ``form`` asks for.

    Returns None if there is none, or if an older version of the program wrote it.

    Raises:
        TokenError: the token is invalid, or its subscriber is not on the list or was erased.
    """
    with open_subscription(engine, keys, token, read_only=True) as reader:
        campaign = _find_last_campaign(reader.session, reader.subscriber_id)
        content = None if campaign is None else _read_content(reader.session, campaign, form.language)
    if content is None:
        return None
    interests = interests_of(form.country or None, form.sectors, form.countries)
    return LastEdition(content=content, variant=content.variant_for(interests, named=False))


def _find_last_campaign(session: Session, subscriber_id: int) -> Campaign | None:
    got_it = exists().where(
        col(Delivery.campaign_id) == col(Campaign.id),
        col(Delivery.subscriber_id) == subscriber_id,
        col(Delivery.state).in_(_DELIVERED_STATES),
    )
    wanted = select(Campaign).where(
        col(Campaign.state).in_(_LAUNCHED_STATES),
        or_(got_it, col(Campaign.archived).is_(True)),
        col(Campaign.edition).not_in(select(col(Correction.name))),
    )
    return session.exec(wanted.order_by(col(Campaign.id).desc()).limit(1)).first()


def _read_content(session: Session, campaign: Campaign, language: str) -> CompiledEdition | None:
    frozen = select(CampaignContent.language).where(CampaignContent.campaign_id == campaign.id)
    languages = sorted(session.exec(frozen), key=lambda tag: tag != campaign.language)
    if not languages:
        return None
    row = session.get(CampaignContent, (campaign.id, choose_language(language, languages)))
    try:
        return None if row is None else CompiledEdition.from_bytes(row.body)
    except CompiledVersionError:
        return None
