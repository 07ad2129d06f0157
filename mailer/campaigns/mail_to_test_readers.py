"""Send an edition to colleagues as a test: the real mail, counted nowhere, with links that change nothing."""

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, exists, select
from sqlmodel import col

from locales.phrase import Phrase, gettext_noop
from mailer.campaigns.content_versions import begin_tests, end_tests
from mailer.campaigns.draft import DRAFT_STATES, write_tested_draft
from mailer.campaigns.launch_lock import acquire_launch_lock
from mailer.campaigns.plan import Plan
from mailer.campaigns.recipients import Cohort, find_missing_identity, load_reader
from mailer.campaigns.trial import find_example_sender
from mailer.database.engine import open_session
from mailer.database.models import Campaign, CampaignState
from mailer.dispatch.sending_settings import load_signer
from mailer.dispatch.waiting_mails import RelayOutcome, send_mails
from mailer.errors import ConfigurationError, MailerError
from mailer.i18n import match_language
from mailer.rendering.body.variants import Variant, choose_language
from mailer.rendering.compiled_edition import write_media
from mailer.rendering.headers import format_phrase, plain_phrase
from mailer.rendering.mail_merge import Reader, anonymous_reader
from mailer.rendering.message import MessageBuilder, envelope_sender, sender_address
from mailer.settings import Settings
from mailer.smtp.interfaces import OutgoingMessage, apply_dot_stuffing
from mailer.smtp.reply_classifier import Verdict
from mailer.workspace import Workspace
from subscribers.address import Address, normalise_address
from subscribers.consent.suppression import read_suppression
from subscribers.errors import AddressError
from subscribers.models import ConsentEvent
from subscribers.queries import find_subscriber

MAX_TEST_READERS = 20
"""A test is for colleagues. Whoever needs more wants a campaign, which keeps rates and is accounted for."""

MARK = "[Test]"
"""Before the subject of a test. Not translated: it is for the people who make the newsletter."""

_NO_MAIL_EVER = {
    ConsentEvent.erased: gettext_noop("its owner was erased"),
    ConsentEvent.complained: gettext_noop("its owner reported a mail as spam"),
    ConsentEvent.suppressed: gettext_noop("the team put it on the suppression list"),
}
_OUTCOMES = {
    Verdict.sent: "sent",
    Verdict.deferred: "deferred",
    Verdict.rejected: "rejected",
    Verdict.in_doubt: "in doubt",
}


class RefusedTestError(MailerError):
    """No test was sent to anybody."""


@dataclass(frozen=True, kw_only=True)
class ReaderResult:
    """The outcome of a test for one ``address``: the last ``relay`` that was asked, and how that ended."""

    address: str
    relay: str
    verdict: Verdict
    reply: str

    @property
    def is_sent(self) -> bool:
        return self.verdict is Verdict.sent

    @property
    def outcome(self) -> str:
        return _OUTCOMES.get(self.verdict, "not sent")

    def as_dict(self) -> dict[str, Any]:
        return {"address": self.address, "result": self.outcome, "relay": self.relay, "reply": self.reply}


@dataclass(frozen=True, kw_only=True)
class SentTests:
    """A test as it was sent, with how many of the edition's stories are in it."""

    subject: str
    language: str
    stories: int
    results: tuple[ReaderResult, ...]

    @property
    def number_sent(self) -> int:
        return sum(result.is_sent for result in self.results)

    @property
    def is_deferred(self) -> bool:
        """Whether a relay has said "not now" for an address. Nothing tries a test again by itself."""
        return any(result.verdict is Verdict.deferred for result in self.results)

    def as_dict(self) -> dict[str, Any]:
        return {
            **{"subject": self.subject, "language": self.language},
            **{"stories": self.stories, "tests": self.results},
        }


def read_test_readers(settings: Settings, texts: Sequence[str]) -> tuple[Address, ...]:
    """Read the addresses a test goes to, each once: ``texts``, or else those of the settings. Raise
    RefusedTestError if there is none, too many, or one that is no address."""
    place = "" if texts else "[campaigns] test_readers: "
    chosen = texts or settings.campaigns.test_readers
    if not chosen:
        raise RefusedTestError(
            gettext_noop(
                "Say who gets the test: `--test me@example.org`. Or list the usual people in mailer.toml, "
                'under [campaigns]: test_readers = ["me@example.org"].'
            )
        )
    try:
        found = {address.email: address for address in map(normalise_address, chosen)}
    except AddressError as error:
        raise RefusedTestError(f"{place}{error}") from error
    if len(found) > MAX_TEST_READERS:
        raise RefusedTestError(
            Phrase(
                "%(number)s addresses are too many for a test, which goes to %(most)s at most. To "
                "send to "
                "more people, import them and send a campaign to their segment.",
                number=f"{place}{len(found)}",
                most=MAX_TEST_READERS,
            )
        )
    return tuple(found.values())


def send_test(
    engine: Engine,
    workspace: Workspace,
    plan: Plan,
    readers: Sequence[Address],
    *,
    shown_address: str = "",
    variant: int | None = None,
    by: str,
    now: datetime,
) -> SentTests:
    """Send the mail of ``plan`` to ``readers`` as a test, and record for whom a relay has accepted it: the
    mail of the subscriber with ``shown_address``, that of the ``variant`` of the plan (from 1), or else that
    of a reader who is not known.

    The mail is compiled, built, signed and sent as in a campaign, with "[Test]" before its subject, a new
    Message-ID and links that change nothing. Each call sends again.

    Raises:
        RefusedTestError: the edition has errors, the sender is not the workspace's own, there is no such
            variant, or an address must not get any mail. Nothing was sent.
        SubscriberError: the subscriber whose mail is wanted is not on the list.
        ConfigurationError: a relay, a key or the sender's address cannot be used.
    """
    _refuse_unfit(workspace, plan)
    shown = _choose_reader(engine, workspace, plan, shown_address, variant)
    _refuse_suppressed(engine, workspace, readers)
    for compiled in plan.compiled:
        write_media(compiled, workspace.media)
    mails = list(_build_mails(workspace, plan, shown, readers, now))
    numbers = _begin(engine, plan, readers, by=by, now=now)
    try:
        outcomes = send_mails(workspace.settings.smtp, workspace.root, mails)
    except ConfigurationError:
        _end(engine, numbers, (), plan, now)
        raise
    results = tuple(_make_result(reader, outcomes[reader.email]) for reader in readers)
    _end(engine, numbers, results, plan, now)
    mail = plan.mail_in(choose_language(shown.language, plan.languages))
    return SentTests(
        subject=_label_subject(workspace.settings, shown, mail.subject),
        language=mail.language,
        stories=len(mail.variant_for(shown.interests).stories),
        results=results,
    )


def _refuse_unfit(workspace: Workspace, plan: Plan) -> None:
    """Refuse what must reach nobody. Warnings, texts of the example and a missing https address may: the
    people who get a test are to see the mail while it is being made."""
    if fault := find_missing_identity(workspace.settings) or find_example_sender(workspace.settings):
        raise RefusedTestError(fault)
    if plan.errors or not plan.compiled:
        complaints = "\n".join(str(problem) for problem in plan.errors)
        raise RefusedTestError(
            gettext_noop(
                "%(edition)s has errors, so no test was sent. Fix them; `mailer check "
                "%(edition)s` lists them all.\n%(complaints)s"
            ),
            edition=plan.edition,
            complaints=complaints,
        )


def _refuse_suppressed(engine: Engine, workspace: Workspace, readers: Sequence[Address]) -> None:
    """Refuse addresses whose owners must get no mail of any kind. One that unsubscribed from the newsletter,
    or that bounced, may be a colleague's."""
    with open_session(engine, read_only=True) as session:
        for reader in readers:
            found = read_suppression(session, workspace.keys.suppression, reader.email)
            if found is not None and found.reason in _NO_MAIL_EVER:
                raise RefusedTestError(
                    gettext_noop(
                        "%(email)s must not get mail, not even a test: %(why)s. No test was "
                        "sent. Leave this address out."
                    ),
                    email=reader.email,
                    why=_NO_MAIL_EVER[found.reason],
                )


def _choose_reader(
    engine: Engine, workspace: Workspace, plan: Plan, address: str, number: int | None
) -> Reader:
    if address:
        with open_session(engine, read_only=True) as session:
            return load_reader(session, find_subscriber(session, address), workspace)
    nobody = anonymous_reader(workspace.settings)._replace(language=plan.language)
    if number is None:
        return nobody
    variant, cohort = _find_variant(plan, number)
    return nobody._replace(language=variant.language, interests=cohort.interests)


def _find_variant(plan: Plan, number: int) -> tuple[Variant, Cohort]:
    variants = list(plan.variants.items())
    if 0 < number <= len(variants):
        return variants[number - 1]
    if not variants:
        raise RefusedTestError(
            Phrase(
                "Nobody in the segment %(segment)s would get %(edition)s, so it has no versions. Leave "
                "out --variant to test it as a reader would get it who is not known.",
                segment=repr(plan.segment.text),
                edition=plan.edition,
            )
        )
    if len(variants) == 1:
        raise RefusedTestError(
            Phrase(
                "%(edition)s has one version for %(segment)s. Leave out --variant.",
                edition=plan.edition,
                segment=plan.segment_label,
            )
        )
    raise RefusedTestError(
        Phrase(
            "%(edition)s has %(number)s versions for %(segment)s, so --variant is a number from 1 to "
            "%(number)s. `mailer send %(edition)s --segment QUERY` lists them.",
            edition=plan.edition,
            number=len(variants),
            segment=plan.segment_label,
        )
    )


def _build_mails(
    workspace: Workspace, plan: Plan, shown: Reader, to: Sequence[Address], now: datetime
) -> Iterator[OutgoingMessage]:
    settings, signer = workspace.settings, load_signer(workspace.settings, workspace.root)
    # The builder puts the label of a country before the subject of its readers, and all are in this one.
    labels = {shown.country: _label_subject(settings, shown)}
    builder = MessageBuilder(plan.compiled, settings.model_copy(update={"subject_labels": labels}))
    sender, domain = envelope_sender(settings.sender), sender_address(settings.sender.address).split("@")[1]
    token = _sign_token(workspace, choose_language(shown.language, plan.languages))
    code = workspace.keys.tokens.newest().sign_code(subscriber_id=0, campaign_id=0)
    for mailbox in to:
        reader = shown._replace(
            email=mailbox.email,
            envelope=mailbox.envelope,
            token=token,
            # What comes back of a test is nobody's, and a mail must not unsubscribe whoever it shows.
            bounce_token="",
            leave_token="",
            verification_code=code,
            # Never the same twice: a mail program may hide a message whose id it has seen.
            message_id=f"<test.{secrets.token_hex(12)}@{domain}>",
        )
        message = _without_name(builder.build(reader, now=now), reader)
        if signer is not None:
            message = signer.sign(message, now=now)
        yield OutgoingMessage(
            key=mailbox.email,
            sender=sender,
            recipient=mailbox.envelope,
            payload=apply_dot_stuffing(message),
        )


def _label_subject(settings: Settings, shown: Reader, subject: str = "") -> str:
    return " ".join(part for part in (MARK, settings.subject_labels.get(shown.country, ""), subject) if part)


def _sign_token(workspace: Workspace, language: str) -> str:
    token = workspace.keys.tokens.sign_test()
    spoken = match_language([language])
    return f"{token}?lang={spoken}" if spoken else token


def _without_name(message: bytes, reader: Reader) -> bytes:
    """Return the message without the subscriber's name at a colleague's address: programs would learn it."""
    named = f"To: {format_phrase(plain_phrase(reader.name), reader.envelope)}\r\n"
    return message.replace(named.encode(), f"To: {reader.envelope}\r\n".encode(), 1)


def _make_result(reader: Address, sent: RelayOutcome) -> ReaderResult:
    outcome = sent.outcome
    about_us = outcome.verdict in {Verdict.stop, Verdict.give_back}
    return ReaderResult(
        address=reader.email,
        relay=sent.relay,
        verdict=outcome.verdict,
        reply=outcome.summary if about_us else outcome.reason,
    )


def _begin(
    engine: Engine, plan: Plan, readers: Sequence[Address], *, by: str, now: datetime
) -> Mapping[str, int]:
    """Record that the test is about to be sent; return the number of each address's."""
    addresses = [reader.email for reader in readers]
    with engine.begin() as connection:
        return begin_tests(connection, plan.edition, plan.content_digest, addresses, by=by, now=now)


def _end(
    engine: Engine, numbers: Mapping[str, int], results: Sequence[ReaderResult], plan: Plan, now: datetime
) -> None:
    """Record what became of the test, with a draft of the edition if no campaign has this content yet."""
    sent = {numbers[one.address] for one in results if one.is_sent}
    in_doubt = {numbers[one.address] for one in results if one.verdict is Verdict.in_doubt}
    with engine.begin() as connection:
        acquire_launch_lock(connection, plan.edition)
        end_tests(connection, sent=sent, not_sent=set(numbers.values()) - sent - in_doubt)
        if sent and not _has_campaign(connection, plan):
            write_tested_draft(connection, plan, now)


def _has_campaign(connection: Connection, plan: Plan) -> bool:
    """Return whether a campaign that is more than a draft has exactly this content."""
    same = (
        *(col(Campaign.edition) == plan.edition, col(Campaign.content_digest) == plan.content_digest),
        col(Campaign.state).not_in([*DRAFT_STATES, CampaignState.cancelled]),
    )
    return bool(connection.scalar(select(exists().where(*same))))
