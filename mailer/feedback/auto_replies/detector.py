"""Decides whether a message is an automatic reply, by its headers and its words.

A person's reply must never be lost, so what is doubtful is a reply. A field that says so decides alone. Where
there is none, what programs write is weighed against what only people write: one remark of an absence is a
person's; a program says several things at once, and comes to the point at once.
"""

import re
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from mailer.feedback.auto_replies.phrases import (
    PhraseKind,
    find_kinds,
    find_phrases,
    has_prefix,
    normalise,
    skip_courtesies,
)
from mailer.feedback.mime_headers import Headers, read_mailbox
from mailer.feedback.mime_part import MimePart
from mailer.feedback.replies import split_reply

# Fields such as X-Autoreply, X-Autorespond, X-Mail-Autoreply, X-AutoReply-From and X-Vacation have no
# standard; their name says what they are. X-Auto-Response-Suppress asks for something else.
_AUTOMATIC_FIELD = re.compile(
    r"x-(?:\w+-)*(?:auto-?(?:reply|respond|responder|response|answer|notify)|vacation|out-of-office|oof)(?:-\w+)*"
)
_NO = frozenset({"", "no", "false", "0", "none", "n", "off"})
_AUTOMATIC_MAILER = re.compile(r"vacation|auto-?\s?(?:reply|respon)|out of office", re.IGNORECASE)
_AUTOMATIC_PRECEDENCE = re.compile(r"auto[_-]?reply", re.IGNORECASE)

_REPLY_PREFIX = re.compile(
    r"(?:re|aw|antw|antwort|sv|vs|ref|rif|odp|res|rv|回复|回覆|答复|答覆|返信|회신|답장|отв|ответ|на|ха|хариу|رد|"
    r"الرد|r|ynt|bls)\s?(?:\[\d+\]|\(\d+\))?\s?:"
)
_FORWARD_PREFIX = re.compile(
    r"(?:fwd?|wg|tr|rv|enc|vb|vs|i|inoltro|doorst|转发|轉寄|轉發|転送|전달|пересл|fw|дамжуулах|إعادة توجيه|"
    r"اعاده توجيه|إعادة|ynl|ilt)\s?:"
)
# Precedence is the mailing list's, not the writer's, where one of these stands.
_LIST_FIELDS = ("list-id", "list-post", "list-help", "mailing-list", "x-mailing-list", "x-beenthere")
_TICKET_SUBJECT = re.compile(
    r"[\[(](?:[^\[\]()]{0,30}?#\s?\d+|[a-z]{2,10}-\d+)[\])]|##\d+##|"
    r"\b(?:ticket|case|incident|vorgang|anfrage|demande|caso|заявка|обращение)\s?(?:#|no|nr|n°)?\s?\d{2,}"
)
_TICKET_FIELDS = re.compile(
    r"(?:x-)?(?:zendesk|jira|atlassian|rt-(?:ticket|originator|managed)|rt-ticket|rt-originator|otrs|otobo|znuny|"
    r"redmine|freshdesk|fd-|helpscout|hubspot|front-|kayako|osticket|glpi|gitlab|github|intercom|zammad|trac-|"
    r"mantis|bugzilla|servicenow|deskpro|zoho-desk|easyredmine|teamwork|phabricator|request-?tracker|ticket|helpdesk|servicedesk|case-|crm-)"
)
_TICKET_MAILER = re.compile(
    r"zendesk|jira|otrs|znuny|otobo|redmine|freshdesk|help ?scout|kayako|osticket|glpi|zammad|intercom|"
    r"servicenow|request tracker|deskpro|service ?desk|help ?desk|freshservice",
    re.IGNORECASE,
)
_PERSONAL_MAILER = re.compile(
    r"thunderbird|apple mail|i(?:phone|pad|pod)[ _]mail|outlook(?! web)|foxmail|roundcube|the bat|evolution|"
    r"kmail|mutt|em ?client|airmail|mailbird|claws|sylpheed|postbox|k-9|fairemail|becky|shuriken|mailmate|"
    r"squirrelmail|sogo|rainloop|snappymail|windows live|microsoft office|yahoo|proton|alpine|gnus|spark",
    re.IGNORECASE,
)
_AUTOMATIC_SENDER = re.compile(
    r"(?:auto-?(?:reply|respon\w*|answer)|vacation|out-?of-?office)(?:[+.-].*)?", re.I
)
_MACHINE_SENDER = re.compile(
    r"(?:no-?_?reply|do-?_?not-?_?reply|noresponder|nepasrepondre|mailer-daemon|postmaster|daemon|robot|"
    r"notifications?|system|antispam|spam-?filter|challenge)(?:[+.-].*)?",
    re.IGNORECASE,
)
_LIST_ROBOT = re.compile(
    r"(?:listserv|majordomo|mailman|sympa|ezmlm|.+-(?:request|bounces?|owner|help)|owner-.+)", re.I
)
_ENOUGH = 4
# How far into the text, after greetings and thanks, the point may begin: about a sentence.
_OPENING = 120
# "Please note:" and "Automatic reply:" are shorter.
_INTRODUCTION = 20
# The weight of a null return path: a person's mail has none, so that it does not matter how the text begins.
_NO_PERSON = 3
_NOTE = re.compile(
    r"(?:please note|note that|bitte beachten|hinweis|veuillez noter|nota|tenga en cuenta|le informamos|"
    r"обратите внимание|внимание|n\W?b)\b"
)
_ENDS_NO_WORD = re.compile("[\u3040-\u9fff\uac00-\ud7a3]")
_QUOTING = re.compile(r'[":]')
_SENTENCE_END = re.compile(r"[.!?](?= |$)|[。؟]")
_DECISIVE = frozenset({PhraseKind.challenge, PhraseKind.robot, PhraseKind.read_receipt})
_NOTHING = frozenset(
    {
        PhraseKind.subject_words,
        PhraseKind.device,
        PhraseKind.reply_line,
        PhraseKind.closing,
    }
)
_FOOTER = frozenset({PhraseKind.automation})
# What a ticket system itself says. The rest of its mail is what a person wrote.
_TICKET_WORDS = _DECISIVE | {
    PhraseKind.automation,
    PhraseKind.receipt,
    PhraseKind.ticket,
    PhraseKind.answer_time,
}
# Not the "?" of an address, nor that of a greeting such as "How are you?", which is skipped.
_QUESTION = re.compile(r"[?؟](?![\w=&/%])|\?(?=[\u3040-\u9fff])")


@dataclass(frozen=True, kw_only=True)
class HeaderSigns:
    """What the headers say: whether a field says that a program answered, or that none did.

    People write through a ticket system, whose own fields say nothing of who wrote. ``has_mailer`` is about a
    mail program that people write with, ``answers`` and ``forwards`` about the subject's beginning.
    ``points`` weigh the fields that programs write and that people's mail seldom has.
    """

    is_automatic: bool
    is_personal: bool
    is_ticket_system: bool
    has_mailer: bool
    answers: bool
    forwards: bool
    points: int


def read_header_signs(message: MimePart) -> HeaderSigns:
    """Read the headers of ``message``, not those of messages inside it."""
    headers = message.headers
    subject = normalise(headers.get("subject"))
    submitted = headers.get("auto-submitted").partition(";")[0].partition("(")[0].strip().lower()
    is_ticket = (
        any(_TICKET_FIELDS.match(name) for name, _ in headers.fields)
        or _TICKET_MAILER.search(_read_mailer(headers)) is not None
        or _TICKET_MAILER.search(headers.raw("message-id")) is not None
        or _TICKET_SUBJECT.search(subject) is not None
    )
    forwards = _FORWARD_PREFIX.match(subject) is not None
    # "auto-generated" is also what ticket systems, and servers that forward by a rule, write over what a
    # person wrote. "auto-replied" is what RFC 3834 has for answers.
    is_generated = submitted not in {"", "no", "auto-replied"}
    speaks_for_others = is_ticket or forwards
    return HeaderSigns(
        is_automatic=(
            submitted == "auto-replied"
            or (is_generated and not speaks_for_others)
            or _has_automatic_field(headers)
            or _is_receipt(message)
        ),
        is_personal=submitted == "no",
        is_ticket_system=is_ticket,
        has_mailer=_PERSONAL_MAILER.search(_read_mailer(headers)) is not None,
        answers=_REPLY_PREFIX.match(subject) is not None,
        forwards=forwards,
        points=2 * is_generated if speaks_for_others else _count_points(headers, subject),
    )


def _has_automatic_field(headers: Headers) -> bool:
    for name, value in headers.fields:
        if _AUTOMATIC_FIELD.fullmatch(name) and "suppress" not in name and value.strip().lower() not in _NO:
            return True
    precedences = headers.raw("precedence"), headers.raw("x-precedence"), headers.raw("preference")
    return (
        any(_AUTOMATIC_PRECEDENCE.search(value) for value in precedences)
        # CommuniGate, FirstClass, Mailtraq, qmail, iCloud and Mailman, in this order.
        or headers.raw("x-autogenerated").strip().lower() == "reply"
        or headers.raw("x-fc-machinegenerated").strip().lower() == "true"
        or "autoresponder" in headers.raw("x-post-messageclass").lower()
        or headers.raw("delivered-to").strip().lower() == "autoresponder"
        or headers.raw("x-apple-action").strip().lower() == "vacation"
        or headers.raw("x-list-administrivia").strip().lower() == "yes"
        or "ooftemplate" in headers.raw("x-ms-exchange-message-class").lower().replace(".", "")
        or _AUTOMATIC_MAILER.search(_read_mailer(headers)) is not None
        or _AUTOMATIC_SENDER.fullmatch(_read_local_part(headers.get("from"))) is not None
    )


def _is_receipt(message: MimePart) -> bool:
    """Return whether it is a read receipt (RFC 8098)."""
    report = message.parameters.get("report-type", "").strip().lower()
    return message.content_type == "multipart/report" and report == "disposition-notification"


def _count_points(headers: Headers, subject: str) -> int:
    points = 0
    if headers.raw("return-path").replace(" ", "") == "<>":
        # A null return path is for notifications (RFC 5321, section 4.5.5); a person's mail has none.
        points += 3
    if "x-ms-exchange-generated-message-source" in headers:
        points += 3
    if _adds_to_topic(subject, normalise(headers.get("thread-topic"))):
        points += 2
    sender = _read_local_part(headers.get("from"))
    points += 2 if _LIST_ROBOT.fullmatch(sender) else int(_MACHINE_SENDER.fullmatch(sender) is not None)
    # These three say that the sender wants no answer, which newsletters and ticket systems want neither.
    wants_none = int("x-loop" in headers)
    wants_none += headers.raw("x-auto-response-suppress").strip().lower() not in {"", "none"}
    if not any(name in headers for name in _LIST_FIELDS):
        wants_none += 2 * (headers.raw("precedence").strip().lower() in {"bulk", "junk"})
    return points + min(wants_none, 2)


def _adds_to_topic(subject: str, topic: str) -> bool:
    """Return whether ``subject`` is a phrase before the topic of the conversation, in whatever language, as
    Exchange makes the subject of an automatic reply. What it writes before people's replies and forwarded
    messages is one short word; before answers to an invitation, one word.
    """
    if not topic or not subject.endswith(topic):
        return False
    before = subject.removesuffix(topic).strip()
    return before.endswith(":") and len(before) > 5 and (" " in before[:-1].strip() or not before.isascii())


def _read_mailer(headers: Headers) -> str:
    return f"{headers.get('x-mailer')} {headers.get('user-agent')}"


def _read_local_part(value: str) -> str:
    return read_mailbox(value).rpartition("@")[0]


@dataclass(frozen=True, kw_only=True)
class _Point:
    """What a text says: ``opens`` if it says so at once, ``says_automatic`` if also that it is automatic."""

    kinds: AbstractSet[PhraseKind]
    opens: bool
    says_automatic: bool


def is_auto_reply(message: MimePart) -> bool:
    """Return whether a program wrote ``message`` as an answer. Bounces and complaints are told before."""
    signs = read_header_signs(message)
    if signs.is_automatic:
        return True
    if signs.is_personal:
        return False
    own, has_quotation = split_reply(message.readable_text)
    subject, text = normalise(message.headers.get("subject")), normalise(own)
    return _weigh(signs, subject, text, has_quotation=has_quotation) >= _ENOUGH


def _weigh(signs: HeaderSigns, subject: str, text: str, *, has_quotation: bool) -> int:
    points = signs.points
    # Whoever answers or forwards an automatic reply has its subject after "Re:" or "Fwd:".
    is_own_subject = not (signs.answers or signs.forwards)
    of_subject = find_kinds(subject) if is_own_subject else frozenset()
    if is_own_subject and has_prefix(subject):
        points += _ENOUGH
        of_subject -= {PhraseKind.automation}
    point = _find_point(text, anywhere=points >= _NO_PERSON)
    if signs.is_ticket_system or PhraseKind.reply_line in find_kinds(text):
        # What such a system puts last stands under people's words, too.
        of_text = point.kinds if point.opens else frozenset()
        return points + _count(_TICKET_WORDS & of_text) + _count(_TICKET_WORDS & of_subject)
    points += _count(point.kinds | of_subject) + point.says_automatic
    points += PhraseKind.subject_words in of_subject
    if not signs.points and not point.says_automatic:
        points -= signs.answers
    # What only people do: they use a mail program, quote what they answer, and ask.
    points -= 2 * signs.has_mailer + 2 * has_quotation
    points -= 2 * (PhraseKind.device in find_kinds(text))
    return points - (_QUESTION.search(text, skip_courtesies(text)) is not None)


def _find_point(text: str, *, anywhere: bool) -> _Point:
    """Read what ``text`` says. All of it counts if a phrase opens it, or ``anywhere``; otherwise only what
    programs, too, put last, under what was written for them."""
    start = skip_courtesies(text)
    end = _SENTENCE_END.search(text, start)
    limit = min(end.end() if end else len(text), start + _OPENING)
    # What follows a colon may be a quotation: "I wrote to you, and got this back: …".
    colon = text.find(":", start + _INTRODUCTION, limit)
    limit = colon if colon >= 0 else limit
    found = [(kind, position) for kind, position in find_phrases(text) if kind not in _NOTHING]
    kinds = frozenset(kind for kind, _ in found)
    statements = {
        position
        for kind, position in found
        if kind is not PhraseKind.automation or _is_statement(text, position, start)
    }
    opens = any(start <= position < limit for position in statements)
    says_automatic = any(kind is PhraseKind.automation and position in statements for kind, position in found)
    return _Point(
        kinds=kinds if opens or anywhere else kinds & _FOOTER,
        opens=opens,
        says_automatic=opens and says_automatic,
    )


def _is_statement(text: str, position: int, point: int) -> bool:
    """Return whether a phrase at ``position`` is a sentence of its own, not one about somebody else's
    message; ``point`` is where the text begins, after greetings.
    """
    ends = (match.end() for match in _SENTENCE_END.finditer(text, 0, position + 1))
    begins = max(ends, default=0)
    if begins < point <= position:
        begins = point
    before = text[begins:position].strip(" -*()[]")
    if _ENDS_NO_WORD.search(text[position : position + 1]):
        # Chinese, Japanese and Korean sentences begin with what they are about.
        return not _QUOTING.search(before)
    return not before or (before.endswith(":") and len(before) < _INTRODUCTION) or bool(_NOTE.match(before))


def _count(kinds: AbstractSet[PhraseKind]) -> int:
    return sum(
        3 if kind in _DECISIVE else 2 if kind is PhraseKind.automation else 1 for kind in kinds - _NOTHING
    )
