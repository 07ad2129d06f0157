"""How the last edition would have looked: as a reader's choices show it, saved or only tried. Only reads."""

from dataclasses import dataclass

from sqlalchemy import Engine, or_
from sqlmodel import Session, col, exists, select

from mailer.database.engine import open_session
from mailer.database.models import Campaign, CampaignContent, CampaignState, Delivery, DeliveryState
from mailer.rendering.body.variants import Variant, choose_language
from mailer.rendering.compiled import CompiledEdition, CompiledVersionError
from mailer.rendering.reader import interests_of
from mailer.selfservice.preferences import PreferencesForm
from mailer.selfservice.unsubscribe import find_token_subscriber, read_token
from mailer.workspace import Keys
from subscribers.errors import TokenError
from subscribers.models import Status

_LAUNCHED_STATES = (CampaignState.sending, CampaignState.paused, CampaignState.finished)
_DELIVERED_STATES = (DeliveryState.sent, DeliveryState.in_doubt)


@dataclass(frozen=True, kw_only=True)
class LastEdition:
    """An edition that was sent, and the variant of it that the choices ask for."""

    content: CompiledEdition
    variant: Variant


def has_last_edition(engine: Engine, keys: Keys, token: str) -> bool:
    """Whether there is an edition to look at for the reader behind ``token``.

    Raises:
        TokenError: the token is not ours.
    """
    claim = read_token(keys, token)
    with open_session(engine, read_only=True) as opened:
        return _find_last_campaign(opened, claim.subscriber_id) is not None


def find_last_edition(engine: Engine, keys: Keys, token: str, form: PreferencesForm) -> LastEdition | None:
    """The last edition the reader behind ``token`` got, or anybody may read, as ``form`` would have had it.

    None where there is none, or an older program wrote it.

    Raises:
        TokenError: the token is not ours, or its subscriber is not on our list.
    """
    claim = read_token(keys, token)
    with open_session(engine, read_only=True) as opened:
        subscriber = find_token_subscriber(opened, claim)
        if subscriber.status is Status.erased:
            raise TokenError
        campaign = _find_last_campaign(opened, claim.subscriber_id)
        content = None if campaign is None else _read_content(opened, campaign, form.language)
    if content is None:
        return None
    interests = interests_of(form.country or None, form.sectors, form.countries)
    return LastEdition(content=content, variant=content.variant_for(interests, named=False))


def _find_last_campaign(opened: Session, subscriber_id: int) -> Campaign | None:
    got_it = exists().where(
        col(Delivery.campaign_id) == col(Campaign.id),
        col(Delivery.subscriber_id) == subscriber_id,
        col(Delivery.state).in_(_DELIVERED_STATES),
    )
    wanted = select(Campaign).where(
        col(Campaign.state).in_(_LAUNCHED_STATES), or_(got_it, col(Campaign.archived).is_(True))
    )
    return opened.exec(wanted.order_by(col(Campaign.id).desc()).limit(1)).first()


def _read_content(opened: Session, campaign: Campaign, language: str) -> CompiledEdition | None:
    frozen = select(CampaignContent.language).where(CampaignContent.campaign_id == campaign.id)
    languages = sorted(opened.exec(frozen), key=lambda tag: tag != campaign.language)
    if not languages:
        return None
    row = opened.get(CampaignContent, (campaign.id, choose_language(language, languages)))
    try:
        return None if row is None else CompiledEdition.from_bytes(row.body)
    except CompiledVersionError:
        return None
