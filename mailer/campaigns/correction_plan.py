"""Plan a correction of a story as it was sent: to whom, and what they get. Nothing is stored."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, and_, func, or_, select
from sqlmodel import Session, col

from editions.correction_note import CorrectionNote, NoteInspection, inspect_note
from editions.errors import Problem
from editions.model import Edition
from editions.reader import Inspection, inspect_edition
from editions.source.folder import EDITION_FILE
from locales.phrase import Phrase, gettext_noop
from mailer.campaigns.content_versions import read_contents
from mailer.campaigns.corrections import (
    CorrectedEdition,
    CorrectionRecord,
    describe_correction,
    find_correction,
    find_next_number,
    find_story_title,
    make_correction_edition,
    name_correction,
)
from mailer.campaigns.delivery_history import (
    StoryCampaign,
    find_story_campaigns,
    has_delivery,
    read_segment,
    read_sent_contents,
)
from mailer.campaigns.plan import Plan, make_plan
from mailer.campaigns.preflight import PreflightReport, check_inspection, find_sender_problems
from mailer.campaigns.recipients import is_in_audience
from mailer.checks.runner import SourceLines
from mailer.database.engine import open_session
from mailer.database.models import Campaign, CampaignState, Delivery, DeliveryState
from mailer.errors import ConfigurationError, MailerError
from mailer.rendering.body.fragments import FragmentKind, find_fragment
from mailer.rendering.compiled_edition import CompiledEdition
from mailer.workspace import Workspace
from subscribers.errors import SegmentError
from subscribers.models import Subscriber


class StoryNotSentError(MailerError):
    """The story cannot be corrected, because no campaign has sent it."""


class NoteError(MailerError):
    """The note has errors. ``problems`` has all of them, warnings too."""

    def __init__(self, file: str, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        complaints = "\n".join(str(problem) for problem in problems)
        super().__init__(
            gettext_noop("%(file)s has errors, so no correction was made of it.\n%(complaints)s")
            % {"file": file, "complaints": complaints}
        )


@dataclass(frozen=True, kw_only=True)
class CorrectionPlan:
    """A correction, worked out in advance.

    ``by_campaign`` counts the audience by the campaign that sent them the story, some of them twice.
    ``in_doubt`` are those whose message with the story may not have arrived. Of the campaigns ``computed``,
    the ledger has not recorded the stories of each message; those ``unfinished`` may still send it.
    """

    plan: Plan
    record: CorrectionRecord
    by_campaign: Mapping[int, int] = field(default_factory=dict)
    in_doubt: int = 0
    computed: tuple[int, ...] = ()
    unfinished: tuple[int, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        names = ("by_campaign", "in_doubt", "computed", "unfinished")
        return {
            **self.plan.as_dict(),
            "correction_of": self.record.subject_name,
            **{name: getattr(self, name) for name in names},
        }


def plan_correction(
    workspace: Workspace, engine: Engine, edition: str, story: str, note_file: Path, *, now: datetime
) -> CorrectionPlan:
    """Plan sending the note in ``note_file`` to those who were sent ``story`` of ``edition``. Raise
    StoryNotSentError if no campaign has sent it, and NoteError if the note has errors."""
    with open_session(engine, read_only=True) as session:
        connection = session.connection()
        campaigns = find_story_campaigns(connection, edition, story)
        if not campaigns:
            raise StoryNotSentError(_explain_not_sent(connection, workspace, edition, story))
        contents = read_contents(connection, campaigns[-1].campaign_id)
        corrected = CorrectedEdition(contents=contents, source=_read_source(workspace, edition))
        found = inspect_note(note_file, language=corrected.language)
        if found.note is None:
            raise NoteError(note_file.name, found.problems)
        digest = digest_note(found.note)
        known = find_correction(connection, edition, story, digest)
        number = known.number if known else find_next_number(connection, edition)
        segment = read_segment(f"got:{edition}/{story}", workspace.settings, session)
    name = name_correction(edition, number)
    record = describe_correction(
        found.note,
        corrected,
        name=name,
        slug=edition,
        story=story,
        number=number,
        digest=digest,
        # Continued tomorrow, it still has the day it was begun on.
        today=known.day if known else now.date(),
    )
    check = _make_check(workspace, record, found, corrected, note_file.parent)
    plan = make_plan(workspace, engine, name, segment, check=check, correction=record, now=now)
    audience = is_in_audience(segment, name, now.date(), again=False, law=workspace.settings.law)
    with open_session(engine, read_only=True) as session:
        return CorrectionPlan(
            plan=plan,
            record=record,
            by_campaign={
                one.campaign_id: _count(session, audience, has_delivery(one.delivered)) for one in campaigns
            },
            in_doubt=_count_in_doubt(session, campaigns, audience),
            computed=tuple(one.campaign_id for one in campaigns if one.has_unrecorded),
            unfinished=_find_unfinished(session, campaigns),
        )


def digest_note(note: CorrectionNote) -> str:
    """SHA-256 of what the note says in its own language. A note with another date or subject, or with more
    translations, is the same correction."""
    own = note.own_text
    return sha256("\0".join((own.was, own.right, own.html)).encode()).hexdigest()


def _explain_not_sent(connection: Connection, workspace: Workspace, edition: str, story: str) -> str:
    try:
        # Says which editions and stories were sent, and which one was perhaps meant.
        read_segment(f"got:{edition}/{story}", workspace.settings, connection)
    except SegmentError as error:
        return error.reason
    unsent = gettext_noop(
        "No campaign has sent the story %(story)s of %(edition)s, so there is nothing to correct."
    )
    return Phrase(unsent, story=story, edition=edition)


def _read_source(workspace: Workspace, edition: str) -> Edition | None:
    try:
        folder = workspace.edition_folder(edition)
    except ConfigurationError:
        return None
    return inspect_edition(folder, sectors=workspace.settings.sectors).edition


def _make_check(
    workspace: Workspace,
    record: CorrectionRecord,
    found: NoteInspection,
    corrected: CorrectedEdition,
    folder: Path,
) -> Callable[..., PreflightReport]:
    """Return what makes the mail of the correction and checks it; its problems are about the note's file."""
    assert found.note is not None  # noqa: S101 - the caller has checked it
    file = found.note.file
    edition = make_correction_edition(
        record,
        found.note,
        corrected,
        folder=folder,
        base_url=workspace.settings.web.base_url,
        overrides=workspace.template_overrides,
    )
    inspection = Inspection(edition=edition, problems=found.problems)

    def check(**options: Any) -> PreflightReport:
        source = SourceLines(folder)
        report = check_inspection(workspace, inspection, source=source, count_clicks=False, **options)
        problems = {
            replace(problem, path=file) if problem.path == EDITION_FILE else problem
            for problem in report.problems
        }
        return replace(
            report, problems=tuple(sorted(problems)), launch_problems=find_sender_problems(workspace)
        )

    return check


def _find_unfinished(session: Session, campaigns: tuple[StoryCampaign, ...]) -> tuple[int, ...]:
    numbers = [one.campaign_id for one in campaigns]
    going = (CampaignState.sending, CampaignState.paused)
    statement = select(col(Campaign.id)).where(col(Campaign.id).in_(numbers), col(Campaign.state).in_(going))
    found = session.connection().scalars(statement.order_by(col(Campaign.id)))
    return tuple(number for number in found if number is not None)


def _count_in_doubt(
    session: Session, campaigns: tuple[StoryCampaign, ...], audience: ColumnElement[bool]
) -> int:
    """Return how many of the audience have the story only if a message in doubt has arrived."""
    certain = [and_(one.delivered, col(Delivery.state) == DeliveryState.sent) for one in campaigns]
    doubtful = [and_(one.delivered, col(Delivery.state) == DeliveryState.in_doubt) for one in campaigns]
    return _count(session, audience, has_delivery(or_(*doubtful)), ~has_delivery(or_(*certain)))


def _count(session: Session, *conditions: ColumnElement[bool]) -> int:
    counted = select(func.count()).select_from(Subscriber).where(*conditions)
    return session.connection().execute(counted).scalar_one()


@dataclass(frozen=True, kw_only=True)
class SentText:
    title: str
    text: str


@dataclass(frozen=True, kw_only=True)
class SentStory:
    """A story as the newest campaign that had it was sent: ``texts`` by language, the edition's own first.
    ``campaigns`` are all that had it, oldest first."""

    slug: str
    campaigns: tuple[int, ...]
    texts: Mapping[str, SentText]

    @property
    def language(self) -> str:
        return next(iter(self.texts))

    @property
    def title(self) -> str:
        return self.texts[self.language].title


def has_been_sent(connection: Connection, edition: str) -> bool:
    launched = select(col(Campaign.id)).where(
        col(Campaign.edition) == edition, col(Campaign.launched_at).is_not(None)
    )
    return connection.scalar(launched.limit(1)) is not None


def list_sent_stories(connection: Connection, edition: str) -> Sequence[SentStory]:
    """List the stories that campaigns of ``edition`` have sent, those of the newest first, in its order."""
    contents: dict[int, Mapping[str, CompiledEdition]] = {}
    found = []
    for story, numbers in _list_campaigns(connection, edition).items():
        newest = numbers[-1]
        if newest not in contents:
            contents[newest] = read_contents(connection, newest)
        found.append(_make_story(story, numbers, contents[newest]))
    return found


def find_sent_story(connection: Connection, edition: str, story: str) -> SentStory | None:
    numbers = _list_campaigns(connection, edition).get(story)
    if numbers is None:
        return None
    return _make_story(story, numbers, read_contents(connection, numbers[-1]))


def _list_campaigns(connection: Connection, edition: str) -> Mapping[str, list[int]]:
    """Return the campaigns that had each story, the oldest first, without a look at their deliveries."""
    sent = list(read_sent_contents(connection, edition))
    found: dict[str, list[int]] = {
        facts.slug: [] for _, _, content in reversed(sent) for facts in content.stories
    }
    for number, _, content in sent:
        for facts in content.stories:
            found[facts.slug].append(number)
    return found


def _make_story(slug: str, campaigns: Sequence[int], contents: Mapping[str, CompiledEdition]) -> SentStory:
    texts = {tag: _read_text(content, slug) for tag, content in contents.items()}
    return SentStory(slug=slug, campaigns=tuple(campaigns), texts=texts)


def _read_text(content: CompiledEdition, slug: str) -> SentText:
    place = find_fragment(content.text, FragmentKind.story, slug, markup=False)
    text = content.text[slice(*place)].strip() if place else ""
    return SentText(title=find_story_title(content, slug), text=text)
