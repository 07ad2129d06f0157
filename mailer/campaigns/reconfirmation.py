"""Asks readers whether they still want the newsletter, and pauses those who do not answer.

The letter is an edition of one story, so it takes the way of every edition: the theme, the footer, the
checks, the ledger. It is written in every language of the readers' pages, and its button opens the reader's
own page.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import Any

from markupsafe import Markup, escape
from sqlalchemy import ColumnElement, Engine, and_, exists, func, or_, update
from sqlmodel import Session, col, select

from editions.model import Edition, EditionText, ReadMore, Story, StoryKind, StoryText
from editions.reader import Inspection
from editions.source.schema import EditionHeader
from mailer.campaigns.plan import Plan, make_plan
from mailer.campaigns.preflight import PreflightReport, check_inspection, find_sender_problems
from mailer.checks.runner import SourceLines
from mailer.database.engine import Clock, open_session, read_clock
from mailer.database.feedback_models import FeedbackEvent, FeedbackKind, FeedbackMessage
from mailer.database.launch_models import RECONFIRMATION_PREFIX, Reconfirmation
from mailer.database.models import Campaign, Delivery, DeliveryState
from mailer.errors import MailerError
from mailer.i18n import LANGUAGES, SOURCE_LANGUAGE, Translator, gettext_noop, load_translator, match_language
from mailer.settings import Settings
from mailer.workspace import Workspace
from subscribers.consent.status_changes import change_status, lock_subscriber
from subscribers.models import ConsentEvent, ConsentRecord, Status, Subscriber
from subscribers.segments.segment import Segment

_SHORTEST = timedelta(days=7)
"""People are on leave: nobody is paused who had less time to answer."""

_LONGEST = timedelta(days=365)
_USUAL = timedelta(days=30)
_CHUNK = 500
_METHOD = "reconfirmation"
_OWN_METHODS = ("page", "html", "one-click", "mail")
"""How readers change something themselves; anything of it is a sign of life."""

_SUBJECT = gettext_noop("Do you still want our newsletter?")
_PREHEADER = gettext_noop("Tell us if you would like to keep it. Without an answer, we pause it.")
_PARAGRAPHS = (
    gettext_noop("You get the newsletter of %(organisation)s. Do you still want it?"),
    gettext_noop(
        "To keep getting it, open your page with the button below and press the button there. You can also "
        "choose there what you get."
    ),
    gettext_noop(
        "If we do not hear from you by %(day)s, we pause it. You can start it again at any time, from the "
        "same page."
    ),
)
_BUTTON = gettext_noop("Yes, keep sending it to me")


class ReconfirmationError(MailerError):
    """The re-confirmation cannot be made in this way."""


@dataclass(frozen=True, kw_only=True)
class ReconfirmationPlan:
    """A re-confirmation, worked out in advance; ``is_known`` if it was begun before, and goes on."""

    plan: Plan
    answer_by: datetime
    is_known: bool


@dataclass(frozen=True, kw_only=True)
class ReconfirmationStanding:
    """The standing of a re-confirmation, in numbers of readers. Those who ``stay`` have said yes or changed
    their choices, those who ``replied`` have written back and wait for a person."""

    record: Reconfirmation
    asked: int
    stay: int
    left: int
    replied: int
    paused: int
    waiting: int

    def as_dict(self) -> dict[str, Any]:
        record, numbers = self.record, {**vars(self)}
        del numbers["record"]
        return {
            **{"id": record.id, "name": record.name, "segment": record.segment, "asked_by": record.asked_by},
            **{"asked_at": record.created_at, "answer_by": record.answer_by, "closed_at": record.closed_at},
            **numbers,
        }


def plan_reconfirmation(
    workspace: Workspace, engine: Engine, segment: Segment, *, until: datetime | None, now: datetime
) -> ReconfirmationPlan:
    """Plan asking the readers of ``segment`` until a time, 30 days from ``now`` by default. One of the same
    segment that is not closed goes on, with its own time. Raise ReconfirmationError if there is too little or
    too much time, or another time than that it has."""
    with open_session(engine, read_only=True) as session:
        known = _find_open(session, segment.text)
        name = known.name if known else _name_next(session)
    if known and until is not None and until.astimezone(UTC).date() != known.answer_by.date():
        raise ReconfirmationError(
            f"Readers of this segment were asked until {known.answer_by:%Y-%m-%d}, and their letter says so. "
            "Leave out --until to go on with it."
        )
    answer_by = known.answer_by if known else until or now + _USUAL
    if not known and not _SHORTEST <= answer_by - now <= _LONGEST:
        raise ReconfirmationError(
            f"{answer_by:%Y-%m-%d} gives readers too {'little' if answer_by - now < _SHORTEST else 'much'} "
            f"time to answer. Choose a day {_SHORTEST.days} to {_LONGEST.days} days from now."
        )
    check = _make_check(workspace, name, today=known.created_at if known else now, answer_by=answer_by)
    plan = make_plan(workspace, engine, name, segment, check=check, now=now)
    return ReconfirmationPlan(plan=plan, answer_by=answer_by, is_known=known is not None)


def store_reconfirmation(engine: Engine, planned: ReconfirmationPlan, *, by: str, now: datetime) -> None:
    """Store what was planned, before its campaign is launched. Raise ReconfirmationError if another one was
    stored at the same moment."""
    plan = planned.plan
    if planned.is_known:
        return
    with Session(engine) as session:
        if _find_open(session, plan.segment.text) or _name_next(session) != plan.edition:
            raise ReconfirmationError(
                "Another re-confirmation began at the same moment, and nothing was sent of this one. Run the "
                "command again."
            )
        session.add(
            Reconfirmation(
                name=plan.edition,
                segment=plan.segment.text,
                asked_by=by[:200],
                created_at=now,
                answer_by=planned.answer_by.astimezone(UTC),
            )
        )
        session.commit()


def close_due_reconfirmations(engine: Engine, *, clock: Clock = read_clock) -> dict[str, int]:
    """Close every re-confirmation whose time is over; return how many readers each paused, by its name.

    Paused are active readers whose letter was handed over at least seven days before, and who have neither
    done anything on their page nor written back since. A few hundred at a time are one transaction, so that a
    process that is killed leaves nothing half done.
    """
    with engine.connect().execution_options(read_only=True) as connection:
        now = clock(connection)
        due = select(col(Reconfirmation.name)).where(
            col(Reconfirmation.closed_at).is_(None), col(Reconfirmation.answer_by) <= now
        )
        names = list(connection.scalars(due.order_by(col(Reconfirmation.id))))
    return {name: _close(engine, name, now) for name in names}


def list_standings(session: Session) -> list[ReconfirmationStanding]:
    records = session.exec(select(Reconfirmation).order_by(col(Reconfirmation.id).desc())).all()
    return [standing for record in records if (standing := _count(session, record)).asked]


def _close(engine: Engine, name: str, now: datetime) -> int:
    paused = 0
    while True:
        with Session(engine) as session:
            silent = _find_silent(session, name, now)
            paused += sum(_pause(session, number, name, asked_at, now) for number, asked_at in silent)
            if len(silent) < _CHUNK:
                record = (col(Reconfirmation.name) == name, col(Reconfirmation.closed_at).is_(None))
                session.exec(update(Reconfirmation).where(*record).values(closed_at=now))
            session.commit()
        if len(silent) < _CHUNK:
            return paused


def _find_silent(
    session: Session, name: str, now: datetime, *further: ColumnElement[bool]
) -> list[tuple[int, datetime]]:
    """Return the next readers who were asked in time and have not answered, each with when they were."""
    launched = col(Campaign.launched_at)
    statement = (
        select(col(Subscriber.id), col(Delivery.updated_at))
        .select_from(Delivery)
        .join(Campaign, col(Campaign.id) == col(Delivery.campaign_id))
        .join(Subscriber, col(Subscriber.id) == col(Delivery.subscriber_id))
        .where(
            _was_asked(name),
            col(Delivery.updated_at) <= now - _SHORTEST,
            col(Subscriber.status) == Status.active,
            ~_has_answered(launched),
            ~_has_replied(launched),
            *further,
        )
        .order_by(col(Subscriber.id))
        .limit(_CHUNK)
    )
    return [(number, asked_at) for number, asked_at in session.connection().execute(statement) if number]


def _pause(session: Session, subscriber_id: int, name: str, asked_at: datetime, now: datetime) -> bool:
    subscriber = lock_subscriber(session, subscriber_id)
    # They may have answered since we looked; now that the row is locked, nothing else can happen.
    if not _find_silent(session, name, now, col(Subscriber.id) == subscriber_id):
        return False
    change_status(
        session,
        subscriber,
        Status.paused,
        event=ConsentEvent.paused,
        method=_METHOD,
        source=name,
        now=now,
        evidence=f"asked on {asked_at:%Y-%m-%d} whether they still want the newsletter; no answer by "
        f"{now:%Y-%m-%d}",
    )
    return True


def _count(session: Session, record: Reconfirmation) -> ReconfirmationStanding:
    launched = col(Campaign.launched_at)
    is_gone = col(Subscriber.status).not_in((Status.active, Status.paused))
    paused_by_us = exists().where(
        col(ConsentRecord.subscriber_id) == col(Subscriber.id),
        col(ConsentRecord.event) == ConsentEvent.paused,
        col(ConsentRecord.source) == record.name,
    )
    kinds = {
        "left": is_gone,
        "paused": and_(~is_gone, paused_by_us),
        "stay": and_(~is_gone, ~paused_by_us, _has_answered(launched)),
        "replied": and_(~is_gone, ~paused_by_us, ~_has_answered(launched), _has_replied(launched)),
    }
    people = (
        select(func.count())
        .select_from(Delivery)
        .join(Campaign, col(Campaign.id) == col(Delivery.campaign_id))
        .join(Subscriber, col(Subscriber.id) == col(Delivery.subscriber_id))
        .where(_was_asked(record.name))
    )
    asked = session.exec(people).one()
    counts = {name: session.exec(people.where(kind)).one() for name, kind in kinds.items()}
    return ReconfirmationStanding(record=record, asked=asked, waiting=asked - sum(counts.values()), **counts)


def _has_answered(launched_at: Any) -> ColumnElement[bool]:
    """Return the condition on ``Subscriber`` that they did something themselves since ``launched_at``."""
    return exists().where(
        col(ConsentRecord.subscriber_id) == col(Subscriber.id),
        col(ConsentRecord.at) >= launched_at,
        or_(
            col(ConsentRecord.method).in_(_OWN_METHODS),
            col(ConsentRecord.event) == ConsentEvent.reconfirmed,
        ),
    )


def _has_replied(launched_at: Any) -> ColumnElement[bool]:
    """Return the condition on ``Subscriber`` that they have written back since ``launched_at``."""
    return exists().where(
        col(FeedbackEvent.subscriber_id) == col(Subscriber.id),
        col(FeedbackMessage.id) == col(FeedbackEvent.message_id),
        col(FeedbackMessage.kind) == FeedbackKind.reply,
        col(FeedbackEvent.at) >= launched_at,
    )


def _was_asked(name: str) -> ColumnElement[bool]:
    """Return the condition on ``Delivery`` joined to ``Campaign`` that the letter ``name`` was sent."""
    return and_(col(Campaign.edition) == name, col(Delivery.state) == DeliveryState.sent)


def _find_open(session: Session, segment: str) -> Reconfirmation | None:
    statement = select(Reconfirmation).where(
        col(Reconfirmation.segment) == segment, col(Reconfirmation.closed_at).is_(None)
    )
    return session.exec(statement.order_by(col(Reconfirmation.id).desc()).limit(1)).first()


def _name_next(session: Session) -> str:
    last = session.exec(select(func.max(col(Reconfirmation.id)))).one()
    return f"{RECONFIRMATION_PREFIX}{(last or 0) + 1}"


def _make_check(
    workspace: Workspace, name: str, *, today: datetime, answer_by: datetime
) -> Callable[..., PreflightReport]:
    letter = _make_letter(
        workspace.settings,
        name=name,
        today=today.date(),
        last_day=answer_by.date(),
        folder=workspace.root / name,
    )
    inspection = Inspection(edition=letter, problems=())

    def check(**options: Any) -> PreflightReport:
        source = SourceLines(letter.folder)
        report = check_inspection(workspace, inspection, source=source, **options)
        return replace(report, launch_problems=find_sender_problems(workspace))

    return check


def _make_letter(settings: Settings, *, name: str, today: date, last_day: date, folder: Path) -> Edition:
    """Return the letter as an edition; its own language is the sender's, if we know it, or else English.
    ``folder`` is only a name for what has no files."""
    own = match_language([settings.sender.language]) or SOURCE_LANGUAGE
    languages = (own, *(tag for tag in LANGUAGES if tag != own))
    translators = {tag: load_translator(tag) for tag in languages}
    texts = {tag: _write_edition_text(settings, translators[tag]) for tag in languages}
    story = Story(
        slug=_METHOD,
        source="letter",
        kind=StoryKind.feature,
        sector=None,
        countries=(),
        date="",
        texts=MappingProxyType(
            {tag: _write_story_text(settings, translators[tag], last_day) for tag in languages}
        ),
        image=None,
        read_more=(),
        everyone=True,
    )
    template: str = EditionHeader.model_fields["template"].default
    return Edition(
        folder=folder,
        slug=name,
        title=texts[own].title,
        number="",
        period="",
        date=today,
        language=own,
        languages=languages,
        subject=texts[own].subject,
        preheader=texts[own].preheader,
        template=template,
        sender_name=settings.sender.name,
        letter=None,
        stories=(story,),
        lists_contents=False,
        texts=MappingProxyType(texts),
    )


def _write_edition_text(settings: Settings, translator: Translator) -> EditionText:
    return EditionText(
        language=translator.tag,
        title=settings.sender.name,
        period="",
        subject=translator.translate(_SUBJECT),
        preheader=translator.translate(_PREHEADER),
        introductions=MappingProxyType({}),
    )


def _write_story_text(settings: Settings, translator: Translator, last_day: date) -> StoryText:
    values = {"organisation": settings.sender.organisation, "day": translator.format_day(last_day)}
    paragraphs = [translator.translate(words, **values) for words in _PARAGRAPHS]
    html = Markup("").join(Markup("<p>{}</p>").format(escape(words)) for words in paragraphs)
    text = "\n\n".join(paragraphs)
    return StoryText(
        language=translator.tag,
        title=translator.translate(_SUBJECT),
        html=str(html),
        text=text,
        words=len(text.split()),
        caption="",
        alt="",
        button=ReadMore(what=translator.translate(_BUTTON), url=f"{settings.web.base_url}/link"),
        leads_to_preferences=True,
    )
