"""A list of partners to whom everything has happened that a page can tell."""

from datetime import date, datetime, timedelta

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from mailer.campaigns.subscriber_history import apply_merge
from mailer.database.feedback_models import (
    Consequence,
    FeedbackEvent,
    FeedbackKind,
    FeedbackMessage,
    FeedbackState,
)
from mailer.database.models import Campaign, CampaignState, Delivery, DeliveryState, SentTest
from mailer.reasons.reason import Reason
from subscribers.consent.status_changes import suppress
from subscribers.consent.suppression import SuppressionKey
from subscribers.consent.team_changes import (
    DetailChanges,
    add_subscriber,
    pause_subscriber,
    unsubscribe_address,
)
from subscribers.models import ConsentEvent, Subscriber

MINISTRY = "Ministry of Education / Боловсролын яам"
_SECTORS = (
    *("education", "natural-sciences", "social-and-human-sciences"),
    *("culture", "communication-and-information"),
)
_PEOPLE: tuple[tuple[str, str, str, str, str, tuple[str, ...], str], ...] = (
    ("lin.mei@partner.example", "Mei Lin", "Uni", "CN", "zh-Hans", ("education", "culture"), "press, board"),
    ("bat.erdene@partner.example", "Бат-Эрдэнэ", MINISTRY, "MN", "mn", ("education",), "focal-point"),
    ("oyun@partner.example", "Оюун", MINISTRY, "MN", "mn", (), ""),
    ("yuki.tanaka@partner.example", "Yuki Tanaka", "National Museum", "JP", "ja", ("culture",), "press"),
    ("kim@partner.example", "김민준", "Green Office", "KR", "ko", ("natural-sciences",), ""),
    ("anna@partner.example", "Anna McDonald", "Green Office", "", "", (), ""),
    ("info@example.net", "", "", "", "en", (), "old-list"),
    ("left@partner.example", "Lena Left", "Closed Institute", "CN", "en", (), ""),
    ("dead@partner.example", "Dora Dead", "Closed Institute", "CN", "en", (), ""),
    ("spam@partner.example", "Sam Spam", "", "JP", "en", (), ""),
    ("m.lin@example.com", "M. Lin", "", "", "", (), "vip"),
)  # fmt: skip


def add_partners(engine: Engine, key: SuppressionKey, now: datetime) -> dict[str, int]:
    """Add them; return their numbers by the part of their address before the @."""
    earlier = now - timedelta(days=400)
    with Session(engine) as session:
        for address, name, organisation, country, language, sectors, tags in _PEOPLE:
            details = DetailChanges(
                name=name, organisation=organisation, country=country, language=language, sectors=sectors,
                tags=tags.split(","),
            )  # fmt: skip
            add_subscriber(
                session, address, details, sectors=_SECTORS, key=key, method="import",
                source="partners.xlsx", basis="asked for it at the forum", now=earlier,
            )  # fmt: skip
        _add_campaigns(session, earlier)
        _add_feedback(session, now - timedelta(days=9))
        pause_subscriber(session, "yuki.tanaka@partner.example", date(2099, 5, 1), method="page", now=now)
        unsubscribe_address(session, "left@partner.example", method="page", source="campaign 1", now=now)
        for address, reason in (
            ("dead@partner.example", ConsentEvent.bounced),
            ("spam@partner.example", ConsentEvent.complained),
        ):
            suppress(session, address, key=key, reason=reason, method="sending", source="campaign 1", now=now)
        apply_merge(
            session, "lin.mei@partner.example", "m.lin@example.com", key=key, method="studio",
            source="by Ann", evidence="said so by telephone", now=now,
        )  # fmt: skip
        session.commit()
        rows = session.exec(select(Subscriber.email, Subscriber.id)).all()
        return {email.partition("@")[0]: number or 0 for email, number in rows}


def _add_campaigns(session: Session, at: datetime) -> None:
    for edition, title in (("2021-1", "Spring in the region"), ("2021-2", "Learning outdoors")):
        campaign = Campaign(
            edition=edition, title=title, segment="all", state=CampaignState.finished, digest="d",
            audience=11, created_at=at, launched_at=at, finished_at=at,
        )  # fmt: skip
        session.add(campaign)
        session.flush()
        for person in session.exec(select(Subscriber).order_by(col(Subscriber.id))).all():
            is_dead = person.email.startswith("dead")
            session.add(
                Delivery(
                    campaign_id=campaign.id or 0,
                    subscriber_id=person.id or 0,
                    state=DeliveryState.rejected if is_dead else DeliveryState.sent,
                    code=550 if is_dead else 250,
                    reason="5.1.1 No such user here" if is_dead else "2.0.0 Ok: queued",
                    updated_at=at,
                )
            )
    session.add(
        SentTest(
            edition="2021-2", content_digest="d", address="lin.mei@partner.example", sent_by="Ann", sent_at=at
        )
    )


def _add_feedback(session: Session, at: datetime) -> None:
    person = session.exec(select(Subscriber).where(Subscriber.email == "lin.mei@partner.example")).one()
    for number, (kind, subject, words) in enumerate(
        (
            (FeedbackKind.auto_reply, "Out of office", "I am away until Monday."),
            (FeedbackKind.bounce, "Undelivered mail", "452 4.2.2 Mailbox full"),
        )
    ):
        message = FeedbackMessage(
            fingerprint=f"partner-{number}", received_at=at, kind=kind, state=FeedbackState.recorded,
            sender=person.email, subject=subject,
        )  # fmt: skip
        session.add(message)
        session.flush()
        session.add(
            FeedbackEvent(
                message_id=message.id or 0, subscriber_id=person.id, at=at, words=words,
                reason=Reason.over_quota if kind is FeedbackKind.bounce else None,
                consequence=Consequence.recorded,
            )
        )  # fmt: skip
