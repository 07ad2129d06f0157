"""The content of an edition as it is now, what has changed since a version, and which version was tested."""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update
from sqlmodel import Session, col

from editions.errors import EditionError
from editions.reader import read_edition
from locales.phrase import Phrase, gettext_noop
from mailer.campaigns.corrections import SEPARATOR
from mailer.database.models import Campaign, CampaignContent, CampaignState, SentTest
from mailer.errors import ConfigurationError, TemplateError
from mailer.rendering.body.fragments import FragmentKind, find_fragment
from mailer.rendering.body.variants import StoryFacts
from mailer.rendering.compiled_edition import CompiledEdition, CompiledVersionError
from mailer.rendering.edition_compiler import compile_edition
from mailer.utc import format_utc
from mailer.workspace import Workspace

GONE = gettext_noop("%(edition)s has errors or no longer exists")
NEWER_PROGRAM = gettext_noop("the program: a newer version compiles editions differently")
"""What has changed where the contents cannot be compared."""
_HEADINGS = {
    "title": gettext_noop("the newsletter’s name"),
    "subject": gettext_noop("the subject"),
    "preheader": gettext_noop("the preheader"),
    "sender_name": gettext_noop("the sender’s name"),
    "greeting": gettext_noop("the greeting"),
}
_IMAGE = re.compile(r"/media/([\w.-]+)")
# Parts around the stories that repeat something of them: the table of contents and the edges of sections.
_REPEATED = re.compile(
    r"<!--@begin entry .*?<!--@end entry-->|<!--@(?:begin|end) [^>]*-->"
    "|\x1ebegin entry .*?\x1eend entry\x1f|\x1e(?:begin|end) [^\x1f]*\x1f",
    re.DOTALL,
)
_NOT_LAUNCHED = frozenset(
    {CampaignState.draft, CampaignState.tested, CampaignState.approved, CampaignState.scheduled}
)


def digest_content(edition: str, compiled: Iterable[CompiledEdition]) -> str:
    """Return the SHA-256 in hex of an edition's name and its content, its own language first."""
    parts = [edition, *(f"{mail.language} {mail.digest}" for mail in compiled)]
    return sha256("\n".join(parts).encode()).hexdigest()


def compile_content(workspace: Workspace, slug: str) -> tuple[CompiledEdition, ...]:
    """Compile an edition in each of its languages, its own first, without checking it. Raise
    ConfigurationError, EditionError or TemplateError if that cannot be done."""
    edition = read_edition(workspace.edition_folder(slug), sectors=workspace.settings.sectors)
    settings, overrides = workspace.settings, workspace.template_overrides
    return tuple(
        compile_edition(edition, settings, language=language, overrides=overrides)
        for language in (edition.language, *(tag for tag in edition.languages if tag != edition.language))
    )


def read_contents(connection: Connection, campaign_id: int) -> dict[str, CompiledEdition]:
    """Return what was frozen with a campaign, by language, its own first. Raise CompiledVersionError if
    another version of the program wrote it."""
    statement = (
        select(col(CampaignContent.body), col(Campaign.language))
        .join(Campaign, col(Campaign.id) == col(CampaignContent.campaign_id))
        .where(col(CampaignContent.campaign_id) == campaign_id)
    )
    contents = [(CompiledEdition.from_bytes(body), own) for body, own in connection.execute(statement)]
    contents.sort(key=lambda found: (found[0].language != found[1], found[0].language))
    return {mail.language: mail for mail, _ in contents}


def list_content_changes(
    before: Sequence[CompiledEdition], after: Sequence[CompiledEdition], *, restyled: bool = False
) -> list[Phrase]:
    """List the differences, such as "the text of the story teachers (zh)".

    With ``restyled`` the theme or a setting changed too. That alone changes the HTML of everything and the
    text around the stories, so those are not listed then.
    """
    old, new = {mail.language: mail for mail in before}, {mail.language: mail for mail in after}
    removed = gettext_noop("the %(language)s version was removed")
    added = gettext_noop("the %(language)s version was added")
    changes = [Phrase(removed, language=language) for language in old if language not in new]
    changes += [Phrase(added, language=language) for language in new if language not in old]
    found: dict[Phrase, list[str]] = {}
    for language, mail in new.items():
        if language in old:
            for change in dict.fromkeys(_compare(old[language], mail, restyled=restyled)):
                found.setdefault(change, []).append(language)
    several = len(old) > 1
    for change, tags in found.items():
        in_some = gettext_noop("%(change)s (%(languages)s)")
        changes.append(Phrase(in_some, change=change, languages=", ".join(tags)) if several else change)
    return changes


def _compare(old: CompiledEdition, new: CompiledEdition, *, restyled: bool) -> Iterator[Phrase]:
    yield from (
        Phrase(words) for name, words in _HEADINGS.items() if getattr(old, name) != getattr(new, name)
    )
    yield from _compare_choice(old, new)
    kept = [facts.slug for facts in old.stories if facts.slug in {facts.slug for facts in new.stories}]
    for slug in kept:
        text = Phrase("the text of the story %(story)s", story=slug)
        image = Phrase("an image of the story %(story)s", story=slug)
        pieces = _find_story(old, slug), _find_story(new, slug)
        yield from _compare_pieces(*pieces, text=text, image=image, restyled=restyled)
    if [facts.slug for facts in old.stories] == [facts.slug for facts in new.stories]:
        text = Phrase("the letter or the text around the stories")
        image = Phrase("an image of the letter or masthead")
        frames = _find_frame(old, kept), _find_frame(new, kept)
        yield from _compare_pieces(*frames, text=text, image=image, restyled=restyled, is_frame=True)


def _compare_choice(old: CompiledEdition, new: CompiledEdition) -> Iterator[Phrase]:
    """Compare which stories there are, their order, and who gets them."""
    before, after = _by_slug(old), _by_slug(new)
    removed = gettext_noop("the story %(story)s was removed")
    added = gettext_noop("the story %(story)s was added")
    yield from (Phrase(removed, story=slug) for slug in before if slug not in after)
    yield from (Phrase(added, story=slug) for slug in after if slug not in before)
    if before.keys() == after.keys() and list(before) != list(after):
        yield Phrase("the order of the stories")
    for slug, facts in before.items():
        if facts != after.get(slug, facts):
            yield Phrase("the section of the story %(story)s, or who gets it", story=slug)
    if old.personalise != new.personalise:
        yield Phrase("who gets which stories (personalise)")
    if old.switched_off != new.switched_off:
        yield Phrase("the checks that are switched off")


def _by_slug(mail: CompiledEdition) -> dict[str, StoryFacts]:
    return {facts.slug: facts for facts in mail.stories}


def _compare_pieces(
    old: tuple[str, str],
    new: tuple[str, str],
    *,
    text: Phrase,
    image: Phrase,
    restyled: bool,
    is_frame: bool = False,
) -> Iterator[Phrase]:
    """Compare HTML and text of one part of the mail. ``text`` and ``image`` say what may have changed."""
    has_new_images = _IMAGE.findall(old[0]) != _IMAGE.findall(new[0])
    if has_new_images:
        yield image
    if old[1] != new[1] and not (restyled and is_frame):
        yield text
    elif old[0] != new[0] and not restyled and not has_new_images:
        # Only in the HTML: alt text, the address of a link, emphasis.
        yield text


def _find_story(mail: CompiledEdition, slug: str) -> tuple[str, str]:
    def find(marked: str, *, markup: bool) -> str:
        place = find_fragment(marked, FragmentKind.story, slug, markup=markup)
        return marked[slice(*place)] if place else ""

    return find(mail.html, markup=True), find(mail.text, markup=False)


def _find_frame(mail: CompiledEdition, slugs: Sequence[str]) -> tuple[str, str]:
    def find(marked: str, *, markup: bool) -> str:
        for slug in slugs:
            if place := find_fragment(marked, FragmentKind.story, slug, markup=markup):
                marked = marked[: place[0]] + marked[place[1] :]
        frame = _REPEATED.sub("", marked)
        for words in sorted((mail.title, mail.subject, mail.preheader), key=len, reverse=True):
            frame = frame.replace(words, "")
        return " ".join(frame.split())

    return find(mail.html, markup=True), find(mail.text, markup=False)


@dataclass(frozen=True, kw_only=True)
class ContentTest:
    """The last test of a content. Its ``addresses`` are empty once the retention period is over. If anything
    has changed in the edition since, the test says nothing about it any more."""

    by: str
    at: datetime
    addresses: tuple[str, ...]
    changes: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        return not self.changes

    def as_dict(self) -> dict[str, Any]:
        return {**vars(self), "holds": self.holds}

    def __str__(self) -> str:
        by = f" by {self.by}" if self.by else ""
        words = f"tested{by}, {format_utc(self.at)}"
        return words if self.holds else f"{words}; changed since: {'; '.join(self.changes)}"


@dataclass(frozen=True, kw_only=True)
class CampaignTest:
    """The state of a campaign in the light of its last test, and whether one is still to come: it is not
    launched, and what it has was not tested."""

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
    """Record that the content is about to be sent to ``addresses`` as a test; return the number of each. The
    caller commits before it sends, so that a test whose sender dies is in doubt and not forgotten."""
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
    """Record which tests a relay has accepted, and forget those that nobody got. The caller commits."""
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


def find_last_test_time(session: Session, edition: str) -> datetime | None:
    """Return when a relay took the last test of an edition, of whatever content; None if there is none."""
    tests = select(col(SentTest.sent_at)).where(col(SentTest.edition) == edition, ~col(SentTest.is_in_doubt))
    return session.scalar(tests.order_by(col(SentTest.id).desc()).limit(1))


def list_tests(session: Session, edition: str, *, limit: int = 50) -> list[tuple[SentTest, list[str]]]:
    """Return the latest tests of an edition, those that were sent together as one, with its addresses."""
    rows = session.scalars(
        select(SentTest)
        .where(col(SentTest.edition) == edition)
        .order_by(col(SentTest.id).desc())
        .limit(limit)
    )
    together: dict[tuple[object, ...], tuple[SentTest, list[str]]] = {}
    for row in rows:
        key = (row.sent_at, row.sent_by, row.content_digest, row.is_in_doubt)
        together.setdefault(key, (row, []))[1].append(row.address)
    return [(row, sorted(filter(None, addresses))) for row, addresses in together.values()]


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
        Phrase("the theme, or how the mail is laid out"),
    )
