"""The sample's partners, and what becomes of an edition among them: each distinct variant, and its reader."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlmodel import select

from editions.model import Personalisation
from mailer.database.engine import open_session
from mailer.rendering.body.variants import Interests, Variant
from mailer.rendering.compiled_edition import CompiledEdition
from mailer.rendering.mail_merge import interests_of
from mailer.workspace import Workspace
from subscribers.models import Subscriber, SubscriberSector


@dataclass(frozen=True, kw_only=True)
class Partner:
    """A partner of the sample, and the sectors they follow."""

    subscriber: Subscriber
    sectors: frozenset[str]

    @property
    def interests(self) -> Interests:
        return interests_of(self.subscriber.country, self.sectors)

    @property
    def follows(self) -> str:
        """What they follow, in short: ``MN education`` or ``everything``."""
        words = [self.subscriber.country or "", *(sector[:9] for sector in sorted(self.sectors))]
        return " ".join(word for word in words if word) or "everything"


def list_partners(workspace: Workspace) -> list[Partner]:
    """Every partner of the sample, in the order of the list."""
    engine = workspace.open_database()
    try:
        with open_session(engine, read_only=True) as opened:
            sectors = opened.exec(select(SubscriberSector)).all()
            partners = [
                Partner(
                    subscriber=subscriber,
                    sectors=frozenset(row.sector for row in sectors if row.subscriber_id == subscriber.id),
                )
                for subscriber in opened.exec(select(Subscriber).order_by("id")).all()
            ]
            opened.expunge_all()
            return partners
    finally:
        engine.dispose()


@dataclass(frozen=True, kw_only=True)
class Share:
    """A distinct variant, the first partner who gets it, and ``compiled`` in the mode that makes it."""

    variant: Variant
    partner: Partner
    compiled: CompiledEdition

    @property
    def label(self) -> str:
        return f"{self.compiled.personalise}: {self.partner.follows}"


def list_shares(compiled: CompiledEdition, partners: Sequence[Partner]) -> list[Share]:
    """Every distinct variant that ``partners`` make of ``compiled``."""
    shares: dict[Variant, Share] = {}
    for mode in (Personalisation.order, Personalisation.filter):
        chosen = replace(compiled, personalise=mode)
        for partner in partners:
            variant = chosen.variant_for(partner.interests, named=bool(partner.subscriber.name))
            shares.setdefault(variant, Share(variant=variant, partner=partner, compiled=chosen))
    return list(shares.values())


def pick_extremes(shares: Sequence[Share]) -> list[Share]:
    """Those of ``shares`` that differ most: the first, one without a name, the shortest and the longest that
    were filtered."""
    filtered = [share for share in shares if share.compiled.personalise is Personalisation.filter]
    by_length = sorted(filtered or shares, key=lambda share: len(share.variant.stories))
    nameless = [share for share in shares if not share.variant.named]
    picked = [shares[0], *nameless[:1], by_length[0], by_length[-1]]
    return [share for place, share in enumerate(picked) if share not in picked[:place]]
