"""What is known of a prepared campaign, for its checklist."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlmodel import Session, col, select

from mailer.campaigns.audiences.segments import read_segment
from mailer.campaigns.correction_record import SEPARATOR
from mailer.campaigns.preparation.checklist import (
    ApprovalStatus,
    Checklist,
    ChecklistFacts,
    LastTest,
    make_checklist,
)
from mailer.campaigns.preparation.preparation import Preparation
from mailer.campaigns.segment_uses import SavedMeaning, compare_saved_segment
from mailer.campaigns.tested_content import ContentTest, find_test
from mailer.counts.request import CountedNumber, count_audience, count_difference
from mailer.database.models import Campaign, CampaignState, SentTest
from mailer.settings import Settings
from mailer.web.studio.campaigns.approval_status import find_approval_status
from mailer.web.studio.campaigns.place import CampaignPlace
from mailer.web.studio.campaigns.versions import PreparedMail, look_at_mail
from mailer.web.studio.page import StudioPage
from subscribers.errors import SubscriberError


@dataclass(frozen=True, kw_only=True)
class LastCampaign:
    """The campaign before this one, whose readers are compared with those it would have."""

    number: int
    title: str


@dataclass(frozen=True, kw_only=True)
class PreparedCampaign:
    """Everything that the page of a prepared campaign shows.

    ``test`` is the last one of exactly its content, ``older_test`` when one of another was sent last.
    ``segment_fault`` is why the segment cannot be used, "" if it can. ``saved_meaning`` is what became of the
    saved segment that was chosen, None if none was. ``audience`` counts its readers, and ``difference``
    compares them with those of the campaign ``last``; they are None where no segment is chosen, or there is
    nothing to compare with. ``numbers`` are both, as far as there are any.
    """

    preparation: Preparation
    mail: PreparedMail
    checklist: Checklist
    test: ContentTest | None = None
    older_test: datetime | None = None
    segment_fault: str = ""
    saved_meaning: SavedMeaning | None = None
    approval: ApprovalStatus | None = None
    audience: CountedNumber | None = None
    last: LastCampaign | None = None
    difference: CountedNumber | None = None
    numbers: Sequence[CountedNumber] = field(default=())

    @property
    def is_late(self) -> bool:
        """Whether a part of it is still being looked for."""
        return self.mail.is_late or any(one.value is None and one.is_counting for one in self.numbers)


def look_at_campaign(
    page: StudioPage, place: CampaignPlace, preparation: Preparation, *, compiles: bool
) -> PreparedCampaign:
    """Find out how far a prepared campaign is. With ``compiles``, its edition is compiled where it is not."""
    mail = look_at_mail(page, preparation, compiles=compiles)
    decided, settings = preparation.decisions, page.settings
    with page.state.read_session() as session:
        fault = _find_segment_fault(session, settings, decided.segment)
        saved_meaning = _find_saved_meaning(session, settings, preparation)
        last = _find_last_campaign(session, preparation)
        test = find_test(session.connection(), preparation.edition, mail.content_digest)
        older = _find_older_test(session, preparation.edition) if test is None else None
    audience, difference = _ask_numbers(page, preparation, last, fault)
    approval = find_approval_status(page, place, preparation, mail)
    known = audience.value["audience"] if audience is not None and audience.value is not None else None
    facts = ChecklistFacts(
        errors=mail.errors,
        segment=decided.segment or "",
        segment_fault=fault,
        audience=known,
        versions=min(mail.total, len(mail.versions)) if mail.total is not None else None,
        seen=mail.seen,
        test=_judge_test(mail, test, older),
        start_at=decided.start_at,
        approval=approval,
        requires_test=settings.campaigns.require_test,
    )
    return PreparedCampaign(
        preparation=preparation,
        mail=mail,
        checklist=make_checklist(facts, page.state.clock()),
        test=test,
        older_test=older,
        segment_fault=fault,
        saved_meaning=saved_meaning,
        approval=approval,
        audience=audience,
        last=last if difference is not None else None,
        difference=difference,
        numbers=tuple(one for one in (audience, difference) if one is not None),
    )


def _ask_numbers(
    page: StudioPage, preparation: Preparation, last: LastCampaign | None, fault: str
) -> tuple[CountedNumber | None, CountedNumber | None]:
    segment = preparation.decisions.segment
    if segment is None or fault:
        return None, None
    asked = [count_audience(preparation.edition, segment, again=preparation.decisions.again)]
    if last is not None:
        asked.append(count_difference(f"campaign:{last.number}", segment))
    found = page.state.counts.get_all(asked)
    return found[0], found[1] if last is not None else None


def _find_segment_fault(session: Session, settings: Settings, segment: str | None) -> str:
    """Why a segment that was chosen is not valid any more; "" if it is, or none is chosen."""
    if segment is None:
        return ""
    try:
        read_segment(segment, settings, session)
    except SubscriberError as error:
        return str(error)
    return ""


def _find_saved_meaning(
    session: Session, settings: Settings, preparation: Preparation
) -> SavedMeaning | None:
    decided = preparation.decisions
    if not decided.segment_name:
        return None
    return compare_saved_segment(session.connection(), settings, decided.segment_name, decided.segment or "")


def _find_last_campaign(session: Session, preparation: Preparation) -> LastCampaign | None:
    """The newest campaign that was sent to its end, apart from corrections: nothing is compared with one, nor
    one with them, for it goes to those who were sent a story."""
    if SEPARATOR in preparation.edition:
        return None
    sent = select(Campaign.id, Campaign.title).where(
        Campaign.state == CampaignState.finished,
        col(Campaign.edition).not_like(f"%{SEPARATOR}%"),
        Campaign.id != preparation.campaign_id,
    )
    row = session.exec(sent.order_by(col(Campaign.id).desc()).limit(1)).first()
    return None if row is None else LastCampaign(number=row[0] or 0, title=row[1])


def _find_older_test(session: Session, edition: str) -> datetime | None:
    tests = select(SentTest.sent_at).where(SentTest.edition == edition, ~col(SentTest.is_in_doubt))
    return session.exec(tests.order_by(col(SentTest.id).desc()).limit(1)).first()


def _judge_test(mail: PreparedMail, test: ContentTest | None, older: datetime | None) -> LastTest | None:
    if test is not None:
        return LastTest.current
    if not mail.content_digest and mail.compiled is None:
        return None
    return LastTest.none if older is None else LastTest.outdated
