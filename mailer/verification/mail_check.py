"""Whether a mail is from us: by the code at its foot, or by the whole of it.

A check costs time, and each guess at a code is one, so both are counted as the other forms are.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection
from sqlmodel import Session, col, select

from mailer.database.models import Campaign, CampaignContent, CampaignState
from mailer.errors import MailerError
from mailer.keys import Keys
from mailer.rendering.compiled_edition import CompiledEdition, CompiledVersionError
from mailer.rendering.mail_merge import PREVIEW_CODE
from mailer.selfservice.rate_limit import (
    AttemptLimit,
    count_attempt,
    forget_attempts,
    make_key,
    make_network_key,
)
from mailer.selfservice.subscription import verify_campaign
from mailer.settings import Settings
from mailer.smtp.dkim_verifier import DkimResult, DkimVerdict, is_aligned, verify_dkim
from mailer.verification.answer import Answer, Change, MailVerdict, Obstacle, VerifiedEdition
from mailer.verification.content_comparison import Comparison, EditionWords, is_comparable
from mailer.verification.submitted_mail import (
    Marks,
    SubmittedMail,
    find_marks,
    make_domain_filter,
    make_key_finder,
    read_own_address,
    read_submission,
)
from subscribers.consent.suppression import SuppressionKey
from subscribers.errors import RetiredKeyError, TokenError
from subscribers.typed_code import read_code

_SENT_STATES = (
    CampaignState.sending,
    CampaignState.paused,
    CampaignState.finished,
    CampaignState.cancelled,
)
_PUBLIC_STATES = frozenset({CampaignState.sending, CampaignState.paused, CampaignState.finished})
_HOUR = timedelta(hours=1)
NETWORK = AttemptLimit(name="verify-network", maximum=60, window=_HOUR)
"""Checks from an IPv4 address or an IPv6 /64. A ministry in which a fake went round fits."""
WIDER_NETWORK = AttemptLimit(name="verify-wider-network", maximum=240, window=_HOUR)
"""Checks from an IPv4 /24 or an IPv6 /48."""
ALL_CHECKS = AttemptLimit(name="verify", maximum=10_000, window=_HOUR)
"""Checks from everywhere. At this rate it would take half a century to guess one code."""
LIMITS = (NETWORK, WIDER_NETWORK, ALL_CHECKS)
_ENOUGH_OURS = 0.5
"""With a smaller share of our words, a mail is another one that has a mark of ours."""
_ENOUGH_PASSED_ON = 0.3
"""The same for a mail that was passed on, below somebody's own words."""
# Which of several mails in a submission is answered for: the one to be warned of most.
_URGENCY = (
    MailVerdict.copied,
    MailVerdict.altered,
    MailVerdict.foreign,
    MailVerdict.genuine,
    MailVerdict.same_content,
    MailVerdict.letter,
    MailVerdict.test,
    MailVerdict.preview,
    MailVerdict.unknown,
)


def find_sent_edition(
    session: Session, campaign_id: int
) -> tuple[VerifiedEdition | None, list[CompiledEdition]]:
    """Find the edition of a campaign that was launched, and its content in each language, its own first, but
    for what another version of the program wrote.
    """
    campaign = session.get(Campaign, campaign_id)
    if campaign is None or campaign.launched_at is None or campaign.state not in _SENT_STATES:
        return None, []
    contents = _read_contents(session, campaign)
    subjects = dict.fromkeys([campaign.subject, *(mail.subject for mail in contents)])
    first = campaign.launched_at.astimezone(UTC).date()
    last = campaign.finished_at.astimezone(UTC).date() if campaign.finished_at else first
    is_public = campaign.archived and campaign.state in _PUBLIC_STATES
    found = VerifiedEdition(
        slug=campaign.edition,
        title=campaign.title,
        subjects=tuple(filter(None, subjects)),
        first_day=first,
        last_day=max(first, last),
        archive_path=f"/e/{campaign.edition}/{campaign.language}" if is_public else "",
    )
    return found, contents


def _read_contents(session: Session, campaign: Campaign) -> list[CompiledEdition]:
    rows = session.exec(select(CampaignContent).where(col(CampaignContent.campaign_id) == campaign.id))
    contents = []
    for row in rows:
        try:
            contents.append(CompiledEdition.from_bytes(row.body))
        except CompiledVersionError:
            continue
    return sorted(contents, key=lambda mail: (mail.language != campaign.language, mail.language))


def check_code(session: Session, keys: Keys, text: str) -> Answer:
    """Answer for the code that was typed as ``text``. It names a campaign and no reader, so the answer cannot
    depend on whether its reader is still on the list, has left or was erased.
    """
    data = read_code(text)
    if data is None:
        return Answer(verdict=MailVerdict.mistyped)
    if data == read_code(PREVIEW_CODE):
        return Answer(verdict=MailVerdict.preview)
    try:
        payload = keys.tokens.read_code(text)
        verify_campaign(session, payload)
    except RetiredKeyError:
        return Answer(verdict=MailVerdict.unknown, obstacle=Obstacle.retired)
    except TokenError:
        return Answer(verdict=MailVerdict.foreign)
    if payload.campaign_id == 0:
        return Answer(verdict=MailVerdict.test)
    edition, _ = find_sent_edition(session, payload.campaign_id)
    if edition is None:
        return Answer(verdict=MailVerdict.unknown, obstacle=Obstacle.no_edition)
    return Answer(verdict=MailVerdict.code_known, edition=edition)


class TooManyChecksError(MailerError):
    """Too many checks came from one network, or from everywhere."""


def count_check(connection: Connection, key: SuppressionKey, address: str, *, now: datetime) -> None:
    """Count a check from the network of ``address``. The caller commits, also after TooManyChecksError, which
    is raised if a limit is reached. The first of an hour deletes the counters that have no effect any more.
    """
    counted = (
        (make_network_key(key, NETWORK, address, ipv4_bits=32, ipv6_bits=64), NETWORK),
        (make_network_key(key, WIDER_NETWORK, address, ipv4_bits=24, ipv6_bits=48), WIDER_NETWORK),
        (make_key(key, ALL_CHECKS, ""), ALL_CHECKS),
    )
    for name, limit in counted:
        used = count_attempt(connection, name, limit, now=now)
        if limit is ALL_CHECKS and used == 1:
            forget_attempts(connection, LIMITS, now=now)
        if used > limit.maximum:
            raise TooManyChecksError


@dataclass(frozen=True, kw_only=True)
class MailAnswer:
    """The answer, and the mail it is about; None if there was none. ``claims_us`` says that the mail wants to
    be taken for ours."""

    answer: Answer
    mail: SubmittedMail | None = None
    claims_us: bool = False


@dataclass(frozen=True, kw_only=True)
class MailChecker:
    """Checks mails against the ledger of ``session`` and our signatures. ``root`` is the workspace."""

    session: Session
    keys: Keys
    settings: Settings
    root: Path

    def check(self, source: bytes) -> MailAnswer:
        """Answer for the mail in ``source``, or for the one in it that claims to be ours."""
        mails = read_submission(source)
        if isinstance(mails, Obstacle):
            return MailAnswer(answer=Answer(verdict=MailVerdict.unknown, obstacle=mails))
        answers = [self._check_one(mail) for mail in mails]
        claiming = [one for one in answers if one.claims_us] or answers[:1]
        chosen = min(claiming, key=lambda one: _URGENCY.index(one.answer.verdict))
        if chosen.mail is not None and chosen.mail.is_enclosed:
            return replace(chosen, answer=replace(chosen.answer, was_passed_on=True))
        return chosen

    def _check_one(self, mail: SubmittedMail) -> MailAnswer:
        links = (token.link for tokens in mail.tokens for token in tokens if token.link is not None)
        # Also where links lead: a gateway may have rewritten those with a mark.
        text = "\n".join((mail.searchable_text, *(link.path for link in links)))
        marks = find_marks(self.session, self.keys, mail.part, text)
        results = verify_dkim(
            mail.source,
            make_key_finder(self.settings, self.root),
            now=None,
            accepts_domain=make_domain_filter(self.settings),
        )
        claims = bool(marks) or self._claims_us(mail)
        answer = self._judge(mail, marks, results, claims_us=claims)
        return MailAnswer(answer=answer, mail=mail, claims_us=claims)

    def _judge(
        self, mail: SubmittedMail, marks: Marks, results: tuple[DkimResult, ...], *, claims_us: bool
    ) -> Answer:
        is_signed = self._is_from_us(mail) and any(map(_proves_all, results))
        if not marks:
            return self._judge_unmarked(mail, marks, results, is_signed=is_signed, claims_us=claims_us)
        if marks.is_test and not marks.campaign_ids:
            if is_signed or not results:
                return Answer(verdict=MailVerdict.test)
            return Answer(verdict=MailVerdict.altered, changes=(Change.signature,))
        for campaign_id in marks.campaign_ids:
            edition, contents = find_sent_edition(self.session, campaign_id)
            if edition is not None:
                break
        else:
            return Answer(verdict=MailVerdict.unknown, obstacle=Obstacle.no_edition)
        if is_signed:
            # One of us may have answered from the newsletter's address, below our own words.
            verdict = MailVerdict.genuine if marks.are_in_headers else MailVerdict.letter
            return Answer(verdict=verdict, edition=edition if marks.are_in_headers else None)
        if mail.obstacle is not None:
            return Answer(verdict=MailVerdict.unknown, edition=edition, obstacle=mail.obstacle)
        return self._judge_content(mail, edition, contents, results)

    def _judge_unmarked(
        self,
        mail: SubmittedMail,
        marks: Marks,
        results: tuple[DkimResult, ...],
        *,
        is_signed: bool,
        claims_us: bool,
    ) -> Answer:
        if is_signed:
            return Answer(verdict=MailVerdict.letter)
        if marks.is_preview:
            return Answer(verdict=MailVerdict.preview)
        if marks.is_retired:
            return Answer(verdict=MailVerdict.unknown, obstacle=Obstacle.retired)
        if mail.obstacle is not None:
            return Answer(verdict=MailVerdict.unknown, obstacle=mail.obstacle)
        if any(result.verdict is DkimVerdict.unreachable for result in results):
            return Answer(verdict=MailVerdict.unknown, obstacle=Obstacle.busy)
        if self._was_passed_on_without_marks(mail, claims_us=claims_us):
            return Answer(verdict=MailVerdict.unknown, obstacle=Obstacle.no_marks)
        return Answer(verdict=MailVerdict.foreign)

    def _judge_content(
        self,
        mail: SubmittedMail,
        edition: VerifiedEdition,
        contents: list[CompiledEdition],
        results: tuple[DkimResult, ...],
    ) -> Answer:
        """Compare a mail without a signature that counts with the edition that its marks name."""
        if not contents:
            return Answer(verdict=MailVerdict.unknown, edition=edition, obstacle=Obstacle.no_edition)
        if mail.is_too_long:
            return Answer(verdict=MailVerdict.unknown, edition=edition, obstacle=Obstacle.too_long)
        is_passed_on = not self._is_from_us(mail)
        found = self._compare(mail, contents, is_passed_on=is_passed_on)
        if not found or min(one.share for one in found) < (
            _ENOUGH_PASSED_ON if is_passed_on else _ENOUGH_OURS
        ):
            hosts = tuple(dict.fromkeys(host for one in found for host in one.hosts))
            return Answer(
                verdict=MailVerdict.copied, edition=edition, hosts=hosts, was_passed_on=is_passed_on
            )
        changes = list(_list_changes(found))
        if not is_passed_on:
            changes += self._list_changed_headers(mail, edition)
        if mail.has_attachments:
            changes.append(Change.attachments)
        if changes and any(result.verdict is not DkimVerdict.no_key for result in results):
            changes.append(Change.signature)
        return Answer(
            verdict=MailVerdict.altered if changes else MailVerdict.same_content,
            edition=edition,
            changes=tuple(changes),
            hosts=tuple(dict.fromkeys(host for one in found for host in one.hosts)),
            was_passed_on=is_passed_on,
        )

    def _compare(
        self, mail: SubmittedMail, contents: list[CompiledEdition], *, is_passed_on: bool
    ) -> list[Comparison]:
        """Compare each text of ``mail`` with the language of the edition that has most of its words."""
        streams = [tokens for tokens in mail.tokens if is_comparable(tokens, is_passed_on=is_passed_on)]
        best: list[Comparison] = []
        for content in contents:
            words = EditionWords(content, self.settings.web.base_url)
            found = [words.compare(tokens, is_passed_on=is_passed_on) for tokens in streams]
            if found and (not best or _sum_shares(found) > _sum_shares(best)):
                best = found
            if best and min(one.share for one in best) >= _ENOUGH_OURS:
                break
        return best

    def _list_changed_headers(self, mail: SubmittedMail, edition: VerifiedEdition) -> Iterable[Change]:
        sender = self.settings.sender
        ours = {sender.address.lower(), sender.reply_to.lower()} - {""}
        answers = set(mail.reply_addresses)
        if answers - ours or len(mail.part.headers.all("from")) != 1:
            yield Change.sender
        subject = mail.subject
        labels = ("", *self.settings.subject_labels.values())
        known = {f"{label} {one}".strip() for one in edition.subjects for label in labels}
        if _squeeze(subject) not in set(map(_squeeze, known)):
            yield Change.subject

    def _is_from_us(self, mail: SubmittedMail) -> bool:
        """Return whether its only sender is the newsletter's. Anybody can write that. Our colleagues'
        addresses are of the same domain, and DKIM signs what they pass on.
        """
        return mail.sender == read_own_address(self.settings)

    def _claims_us(self, mail: SubmittedMail) -> bool:
        """Return whether a mail without marks of ours wants to be taken for ours."""
        sender = self.settings.sender
        shown = mail.sender_text.casefold()
        names = (sender.domain, sender.name, sender.organisation)
        host = sender.domain.casefold()
        return any(name.casefold() in shown for name in names) or any(
            token.link is not None and is_aligned(token.link.host, host)
            for tokens in mail.tokens
            for token in tokens
        )

    def _was_passed_on_without_marks(self, mail: SubmittedMail, *, claims_us: bool) -> bool:
        """Return whether it may be ours, passed on with only words left and no link."""
        has_links = any(token.link for tokens in mail.tokens for token in tokens)
        return claims_us and not self._is_from_us(mail) and not has_links


def _proves_all(result: DkimResult) -> bool:
    """Return whether a signature proves that sender, subject and the whole text are ours."""
    return (
        result.verdict is DkimVerdict.valid
        and not result.limits_body
        and result.covers("from")
        and result.covers("subject")
    )


def _list_changes(found: Iterable[Comparison]) -> Iterable[Change]:
    found = tuple(found)
    if any(one.has_other_words for one in found):
        yield Change.words
    if any(one.hosts for one in found):
        yield Change.links


def _sum_shares(found: Iterable[Comparison]) -> float:
    return sum(one.share for one in found)


def _squeeze(text: str) -> str:
    return "".join(text.split()).casefold()
