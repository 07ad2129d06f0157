"""Reads a bounce: the machine-readable report, else the server's prose by its rules, else flufl.bounce."""

import re
from collections.abc import Iterator
from dataclasses import replace

from mailer.database.feedback_models import ARRIVED_ACTIONS, FeedbackKind
from mailer.feedback.auto_replies.phrases import asks_for_proof
from mailer.feedback.bounces.delivery_status import (
    STATUS_TYPES,
    RecipientReport,
    find_code,
    find_status,
    one_line,
    read_amazon_bounce,
    read_delivery_status,
)
from mailer.feedback.bounces.server_rules import (
    find_refused_command,
    find_transcript,
    read_server_text,
    read_with_flufl,
)
from mailer.feedback.incoming_message import IncomingMessage, OriginalMessage, ReportedRecipient
from mailer.feedback.mime_headers import list_addresses
from mailer.feedback.mime_part import MimePart, describe_original, find_enclosed, split_copy
from mailer.reasons.reason import Reason
from mailer.reasons.reason_classifier import classify_reason

_SYSTEM_SENDER = re.compile(
    r"\b(?:mailer[-_]?daemon|mail[-_]?daemon|post[-_]?master|postoffice|mdaemon|daemon|mailsystem|mailadmin|"
    r"mail[-_ ]?(?:deliver\w*(?: (?:sub)?system)?|system|server|gateway|robot|router|manager|"
    r"returns?|admin\w*)|mail[-_]?er|internet mail|smtp(?:32|[-_ ]?gateway|[-_ ]?server|d)?(?=@|\b)|mmdf|"
    r"non-?deliver\w*|microsoft ?exchange\w*|system administrator)(?![\w.]*\.\w)",
    re.IGNORECASE,
)
_SERVER_SENDER = re.compile(
    r"\b(?:mailer[-_]?daemon|mail[-_]?daemon|post[-_]?master|mdaemon|mailsystem|"
    r"mail deliver\w* (?:sub)?system|microsoft ?exchange\w*|system administrator)(?![\w.]*\.\w)",
    re.IGNORECASE,
)
# These say of themselves that they are no people.
_CERTAIN_SENDER = re.compile(r"\b(?:mailer-daemon|mail delivery (?:sub)?system)\b", re.IGNORECASE)
# Subjects of bounces, in the languages in which servers write them.
_BOUNCE_SUBJECT = re.compile(
    r"undeliver|returned (?:e?-?mail|message)|returning (?:message|to sender)|failure notice|non[- ]?deliver|"
    r"delivery (?:status|fail|report|problem|notification|has failed|error|delay|unsuccess|incomplete)|"
    r"(?:mail|message) (?:delivery )?(?:fail|system error|error|delay|could not|status|rejected|blocked)|"
    r"(?:mail|message) (?:bounce|not sent)|fail(?:ed|ure) (?:mail|to deliver|delivery)|not delivered|"
    r"(?:could|can)(?:not| not|n't) (?:be (?:sent|delivered)|send)|warning:? (?:could|message|mail)|"
    r"user unknown|status notification|considered unsolicited|mta-blocked|mail err|quota|loop alert|"
    r"unzustellbar|nicht zugestellt|zustellung|onbestelbaar|nedoručit|niedostarcz|zwrócon|"
    r"non remis|échec|rapport de non|notification d.état|no se (?:pudo|ha podido|puede) entregar|no entregad|"
    r"não (?:foi )?entreg|falha na entrega|mancata consegna|non recapitabile|impossibile recapitare|"
    r"配信|送信できません|配達|メールエラー|エラー通知|送信エラー|退信|退回|반송|배달|"
    r"не доставлен|недоставлен|невозможно доставить|teslim edilemedi",
    re.IGNORECASE,
)
_FORWARDED = re.compile(r"^\s*(?:fwd?|wg|tr|rv|i|转发|轉寄)\s*[:：]", re.IGNORECASE)
_ANSWERED = re.compile(
    r"^\s*(?:re|aw|sv|antw|fwd?|wg|tr|rv|i|回复|答复)\s*(?:\[\d+\])?\s*[:：]", re.IGNORECASE
)
_REPLY = re.compile(r"(?<![\d.])[45](?:\d\d[ -]|\.\d{1,3}\.\d{1,3}\b)")
# What a server says about one message stands in its first lines.
_DELAY_SUBJECT = re.compile(r"\b(?:delay|warning|deferred|still being retried)", re.IGNORECASE)
_DELAY = re.compile(
    r"\bwarning (?:message )?only\b|\battempts? will continue\b|\bwill be retried\b|\bnot yet been "
    r"delivered\b|\bwill (?:retry|keep trying|continue (?:to|trying))\b|\bdo not need to resend\b|"
    r"\bhas been delayed\b",
    re.IGNORECASE,
)
_QUOTE_MARK = re.compile(r"^(?:[ \t]?>)+ ?", re.MULTILINE)
# What servers say beside 5.1.1 of addresses that exist.
_OF_MAILBOX = frozenset({Reason.full, Reason.suspended, Reason.other})
_MAX_TEXT = 100_000
_MAX_NOTICE = 20_000
_NOT_A_PERSON = re.compile(
    r"(?:post-?master|mailer-daemon|abuse|support|help\w*|admin\w*|no-?reply|webmaster)@", re.I
)


def may_be_bounce(message: MimePart) -> bool:
    """Return whether it is worth asking the rules: a machine sent it, or its subject is that of a bounce."""
    headers = message.headers
    return (
        is_from_server(message)
        or _has_null_sender(message)
        or _has_bounce_subject(message)
        or "amazon" in headers.raw("from").lower()
        or headers.raw("auto-submitted").strip().lower() not in ("", "no")
    )


def is_from_server(message: MimePart) -> bool:
    """Return whether a mail server sent it, as far as its sender or its form tells.

    An empty envelope sender alone is no sign: vacation programs use it, too (RFC 3834, section 3.3).
    """
    headers = message.headers
    # A "mail manager" may be a person, or send newsletters.
    is_likely = _has_null_sender(message) or bool(_SYSTEM_SENDER.search(headers.get("from")))
    return (
        message.content_type == "multipart/report"
        or "x-failed-recipients" in headers
        or bool(_SERVER_SENDER.search(headers.get("from")))
        or (is_likely and _has_bounce_subject(message))
    )


def is_forwarded_bounce(message: MimePart) -> bool:
    """Return whether somebody forwarded a bounce, by its subject."""
    subject = message.headers.get("subject")
    return bool(_FORWARDED.match(subject) and _BOUNCE_SUBJECT.search(subject))


def is_from_mail_system(message: MimePart) -> bool:
    """Return whether a mail server wrote it, rather than a person or a person's vacation program."""
    headers = message.headers
    if "in-reply-to" in headers and message.content_type != "multipart/report":
        return False
    # Programs that answer say so (RFC 3834); of a report or a known server, more is known than this.
    if headers.raw("auto-submitted").strip().lower() == "auto-replied" and "mailer-daemon" not in (
        headers.get("from").lower()
    ):
        return message.content_type == "multipart/report"
    is_system = bool(_SYSTEM_SENDER.search(headers.get("from"))) or not headers.get("from").strip()
    is_report = message.content_type == "multipart/report"
    if _CERTAIN_SENDER.search(headers.get("from")) and not _ANSWERED.match(headers.get("subject")):
        return True
    return (is_system and (_has_null_sender(message) or _has_bounce_subject(message))) or (
        is_report and _has_bounce_subject(message)
    )


def _has_null_sender(message: MimePart) -> bool:
    """Return whether the envelope sender is empty, as RFC 5321 (section 4.5.5) asks of notices."""
    path = message.headers.raw("return-path").strip() if "return-path" in message.headers else "?"
    return path in ("<>", "", "<MAILER-DAEMON>") or path.lower().startswith("<mailer-daemon@")


def _has_bounce_subject(message: MimePart) -> bool:
    subject = message.headers.get("subject")
    return bool(_BOUNCE_SUBJECT.search(subject)) and not _ANSWERED.match(subject)


def read_bounce(message: MimePart) -> IncomingMessage | None:
    """Read ``message`` as a bounce; None if it is none. One of which nobody can be read has one recipient
    without an address, with the reason of its words.
    """
    has_status = any(part.content_type in STATUS_TYPES for part in message.all_parts)
    if not has_status and not may_be_bounce(message):
        reports = _read_forwarded(message)
        return _conclude(reports, message.readable_text[:_MAX_NOTICE], OriginalMessage()) if reports else None
    enclosed = find_enclosed(message)
    text = _join_texts(message)[:_MAX_TEXT]
    if enclosed is None:
        text, enclosed = split_copy(text)
    text = text[:_MAX_NOTICE]
    original = describe_original(enclosed)
    reports = _read_status_parts(message)
    if not reports:
        reports = _read_prose(message, text, enclosed, original, has_status=has_status)
        # A program that asks the sender to prove to be a person may call itself a mail system. It has the
        # message; a server that refused one has a reply to show.
        if reports and not (has_status or _REPLY.search(text)) and asks_for_proof(text):
            return None
    return _conclude(reports, text, original) if reports else None


def _conclude(reports: tuple[RecipientReport, ...], text: str, original: OriginalMessage) -> IncomingMessage:
    recipients = tuple(_judge(report, text, is_only=len(reports) == 1) for report in reports)
    return IncomingMessage(
        kind=FeedbackKind.bounce, recipients=recipients, original=original, text=text.strip()
    )


def _read_forwarded(message: MimePart) -> tuple[RecipientReport, ...]:
    """Read a bounce that somebody forwarded: only if the report for machines is in it, quoted or not."""
    if not is_forwarded_bounce(message):
        return ()
    text = _QUOTE_MARK.sub("", message.readable_text[:_MAX_NOTICE])
    is_report = all(f"\n{name}:" in text.lower() for name in ("final-recipient", "action", "status"))
    return _merge(iter(read_delivery_status(text))) if is_report else ()


def _read_status_parts(message: MimePart) -> tuple[RecipientReport, ...]:
    parts = [part for part in message.all_parts if part.content_type in STATUS_TYPES]
    return _merge(report for part in parts for report in read_delivery_status(part.text))


def _join_texts(message: MimePart) -> str:
    """Return the words of every readable part, an HTML one only where there is no plain one."""
    parts = [part for part in message.all_parts if part.is_text and part.content_type not in STATUS_TYPES]
    plain = [part.text for part in parts if part.content_type != "text/html" and part.text.strip()]
    texts = plain or [part.text for part in parts]
    return "\n".join(texts)[: _MAX_NOTICE * 4]


def _merge(reports: Iterator[RecipientReport]) -> tuple[RecipientReport, ...]:
    """Keep one report per address: a failure before a delay before a success."""
    merged: dict[str, RecipientReport] = {}
    for report in reports:
        known = merged.get(report.address.lower())
        if known is None or (known.action != "failed" and report.action == "failed"):
            merged[report.address.lower()] = report
    return tuple(merged.values())


def _read_prose(
    message: MimePart, text: str, enclosed: MimePart | None, original: OriginalMessage, *, has_status: bool
) -> tuple[RecipientReport, ...]:
    """Read who is meant from the words of a server; empty if the message is no bounce after all."""
    headers = message.headers
    if amazon := read_amazon_bounce(text):
        return amazon
    # The parts of a report whose boundaries are broken are one text.
    if "final-recipient:" in text.lower() and (reports := _merge(iter(read_delivery_status(text)))):
        return reports
    is_late = _DELAY_SUBJECT.search(headers.get("subject")) or _DELAY.search(text[:4000])
    action = "delayed" if is_late else "failed"
    head = f"{headers.get('from')}\n{headers.get('subject')}\n"
    if reports := read_server_text(text, head, is_known_server=not (has_status or is_from_server(message))):
        return reports if action == "failed" else tuple(replace(one, action=action) for one in reports)
    if failed := list_addresses(*headers.all("x-failed-recipients")):
        return tuple(RecipientReport(address=address, action=action) for address in failed)
    if not (has_status or is_from_mail_system(message)):
        return ()
    if (
        enclosed is not None
        and enclosed.content_type == "multipart/report"
        and (reports := _read_status_parts(enclosed))
    ):
        return reports
    return _guess(message, text, original, action)


def _guess(
    message: MimePart, text: str, original: OriginalMessage, action: str
) -> tuple[RecipientReport, ...]:
    """Read whom a notice in unknown words is about: ours has one recipient. An address that the notice and
    the returned message both name is certain; flufl.bounce is asked before one that only either names.
    """
    fields = ("from", "to", "sender", "reply-to", "return-path")
    own = list_addresses(*(message.headers.raw(name) for name in fields), original.envelope_sender)
    not_meant = {address.lower() for address in own}
    named = [
        address
        for address in list_addresses(text)
        if address.lower() not in not_meant and not _NOT_A_PERSON.match(address)
    ]
    sent_to = [address for address in original.recipients if address.lower() not in not_meant]
    both = {address.lower() for address in named} & {address.lower() for address in sent_to}
    if len(both) == 1:
        return (RecipientReport(address=both.pop(), action=action),)
    if found := read_with_flufl(message):
        return found
    only = next((addresses[0] for addresses in (named, sent_to) if len(addresses) == 1), "")
    return (RecipientReport(address=only, action=action),)


def _judge(report: RecipientReport, text: str, *, is_only: bool) -> ReportedRecipient:
    """Ask for the reason: of the recipient's own words first, then of the whole notice."""
    reason: Reason | None = None
    words = report.words or _words_about(report, text, is_only=is_only)
    status, code = report.status or find_status(words), report.code or find_code(words)
    if report.action not in ARRIVED_ACTIONS:
        command = report.command or find_refused_command(text, report.address, is_only=is_only)

        def classify(words: str) -> Reason:
            return classify_reason(
                words, status=status, code=code, action=report.action, host=report.host, command=command
            )

        reason = classify(words)
        if reason is Reason.other and report.words:
            reason = classify(_words_about(report, text, is_only=is_only))
        if report.status == "5.1.1" and not report.words and reason not in _OF_MAILBOX:
            # Around a report without words stand footers, such as a virus scanner's.
            reason = classify("")
        if reason is Reason.other and is_only and (transcript := find_transcript(text)):
            reason = classify(one_line(transcript))
    return ReportedRecipient(
        address=report.address,
        reason=reason,
        words=words,
        status=status,
        code=code,
        action=report.action,
        envelope_id=report.envelope_id,
        original_address=report.original_address,
    )


def _words_about(report: RecipientReport, text: str, *, is_only: bool) -> str:
    """Return the words of the notice that are about ``report``: server replies if there are any."""
    notice = text
    replies = _find_replies(text)
    own = [reply for reply in replies if report.address and report.address.lower() in reply.lower()]
    if own:
        return one_line("\n".join(own))
    if not is_only and report.address:
        position = notice.lower().find(report.address.lower())
        notice = notice[position : position + 600] if position >= 0 else notice
        replies = _find_replies(notice)
    return one_line("\n".join(replies) if replies else notice)


def _find_replies(text: str) -> list[str]:
    return [line for line in text.split("\n") if _REPLY.search(line)]
