"""Legal requirements by the reader's country, and how the program enforces them.

This is engineering, not legal advice; docs/consent.md explains how each rule is met. Some rules refuse a
launch. Others only leave out the readers they apply to, because one reader without a consent record must not
keep the others from getting their newsletter.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import ColumnElement, and_, exists, or_
from sqlmodel import Session, col, func, select

from locales.phrase import AND, Phrase, gettext_noop, join_phrases
from mailer.settings import LawSettings, Settings
from subscribers.models import ConsentEvent, ConsentRecord, Subscriber

_MAX_EXAMPLES = 3


class Requirement(StrEnum):
    """What a rule requires."""

    identity = "identity"
    """Every part of every mail contains the sender's name and postal address."""

    leaving = "leaving"
    """Every mail says how to unsubscribe, and unsubscribing takes one click."""

    opt_in = "opt_in"
    """The reader's consent is on record before the first mail."""

    label = "label"
    """The subject starts with a word that says what kind of mail this is."""


class Enforcement(StrEnum):
    """What happens if a rule is not met."""

    refuse = "refuse"
    """The launch is refused."""

    hold_back = "hold_back"
    """The readers concerned are left out, and listed."""

    by_setting = "by_setting"
    """Nothing, unless the settings enable the rule for the country."""


@dataclass(frozen=True, kw_only=True)
class LegalRule:
    """One requirement of one law. ``countries`` are ISO codes; empty if the rule applies to all readers."""

    requirement: Requirement
    countries: tuple[str, ...]
    law: str
    source: str
    enforcement: Enforcement


RULES: tuple[LegalRule, ...] = (
    LegalRule(
        requirement=Requirement.identity,
        countries=(),
        law="CAN-SPAM Act (US), §5(a)(5); CASL (Canada), s. 6(2); Act No. 26 of 2002 (Japan), Art. 4",
        source="15 U.S.C. 7704(a)(5)(A)(iii); SOR/2012-36",
        enforcement=Enforcement.refuse,
    ),
    LegalRule(
        requirement=Requirement.leaving,
        countries=(),
        law="GDPR, Art. 7(3) and 21(2–3); CAN-SPAM Act (US), §5(a)(3); CASL (Canada), s. 11",
        source="RFC 8058; 16 CFR 316.5",
        enforcement=Enforcement.refuse,
    ),
    LegalRule(
        requirement=Requirement.opt_in,
        countries=("JP",),
        law="Act on Regulation of Transmission of Specified Electronic Mail, as amended 2008, Art. 3",
        source="Act No. 26 of 2002; also for mail to Japan from abroad",
        enforcement=Enforcement.hold_back,
    ),
    LegalRule(
        requirement=Requirement.opt_in,
        countries=("CN",),
        law="Personal Information Protection Law, Art. 13–16; MII Order 38, Art. 13",
        source="PIPL 2021; MII Order 38 of 2006",
        enforcement=Enforcement.by_setting,
    ),
    LegalRule(
        requirement=Requirement.label,
        countries=("CN",),
        law="Measures for the Administration of Internet E-mail Services, Art. 13–14: “广告” or “AD”",
        source="MII Order 38 of 2006",
        enforcement=Enforcement.by_setting,
    ),
    LegalRule(
        requirement=Requirement.opt_in,
        countries=("CA",),
        law="CASL, s. 6(1): express or implied consent",
        source="S.C. 2010, c. 23",
        enforcement=Enforcement.by_setting,
    ),
)


@dataclass(frozen=True, kw_only=True)
class HeldBack:
    """Readers in one country who must not get a mailing; ``examples`` are the first few addresses."""

    country: str
    rule: LegalRule | None
    count: int
    examples: tuple[str, ...]

    @property
    def reason(self) -> str:
        """The reason, in the words of the plan."""
        return Phrase(gettext_noop("in %(country)s without consent on record"), country=self.country)

    def __str__(self) -> str:
        law = f" ({self.rule.law})" if self.rule else ""
        more = ", …" if self.count > len(self.examples) else ""
        return f"{self.count} {self.reason}{law}: {', '.join(self.examples)}{more}"

    def as_dict(self) -> dict[str, object]:
        """The readers held back, in the form of the JSON output."""
        return {
            "country": self.country,
            "reason": self.reason,
            "law": self.rule.law if self.rule else "",
            "source": self.rule.source if self.rule else "",
            "readers": self.count,
            "examples": list(self.examples),
        }


def has_consent_on_record() -> ColumnElement[bool]:
    """The condition on ``Subscriber`` that they signed up, or were imported with a declared basis."""
    return exists().where(
        col(ConsentRecord.subscriber_id) == col(Subscriber.id),
        or_(
            col(ConsentRecord.event) == ConsentEvent.subscribed,
            and_(col(ConsentRecord.event) == ConsentEvent.imported, col(ConsentRecord.basis) != ""),
        ),
    )


def may_be_mailed(law: LawSettings) -> ColumnElement[bool]:
    """The condition on ``Subscriber`` that the law of their country allows sending to them."""
    country = col(Subscriber.country)
    # A reader whose country is unknown is not restricted. In this order, consent records are only read for
    # readers in the countries listed.
    return or_(country.is_(None), country.not_in(law.opt_in), has_consent_on_record())


def find_held_back(session: Session, law: LawSettings, audience: ColumnElement[bool]) -> Iterator[HeldBack]:
    """The readers in ``audience`` that the law of their country excludes, by country."""
    country = col(Subscriber.country)
    held_back = (audience, country.in_(law.opt_in), ~has_consent_on_record())
    counted = select(country, func.count()).where(*held_back).group_by(country).order_by(country)
    for code, number in session.exec(counted).all():
        first = (
            select(col(Subscriber.email))
            .where(*held_back, country == code)
            .order_by(col(Subscriber.id))
            .limit(_MAX_EXAMPLES)
        )
        yield HeldBack(
            country=code or "",
            rule=find_rule(Requirement.opt_in, code or ""),
            count=number,
            examples=tuple(session.exec(first)),
        )


def find_rule(requirement: Requirement, country: str) -> LegalRule | None:
    """The rule of a country's law; None if only the workspace's own setting applies."""
    return next(
        (rule for rule in RULES if rule.requirement is requirement and country in rule.countries), None
    )


def find_missing_identity(settings: Settings) -> str:
    """Why this sender must not send mail and what to do about it; empty if it may.

    Whether every part of the mail contains name and address is checked in the finished mail
    (`no-postal-address`); that check cannot be switched off.
    """
    empty = [
        name for name in ("organisation", "postal_address") if not _has_text(getattr(settings.sender, name))
    ]
    if not empty:
        return ""
    return Phrase(
        gettext_noop(
            "[sender] %(names)s missing: the law of most countries requires the sender's name and "
            "postal address in every mail. Add what is missing to mailer.toml."
        ),
        names=join_phrases(empty, AND),
    )


def _has_text(words: str) -> bool:
    return any(character.isalnum() for character in words)


def list_countries(requirement: Requirement, enforcements: Collection[Enforcement]) -> tuple[str, ...]:
    """The countries whose law has this requirement with one of these ways of enforcement."""
    return tuple(
        country
        for rule in RULES
        if rule.requirement is requirement and rule.enforcement in enforcements
        for country in rule.countries
    )
