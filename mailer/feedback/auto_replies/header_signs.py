"""What the headers of a message say of who made it: a program, or a person with a mail program."""

import re
from dataclasses import dataclass

from mailer.feedback.auto_replies.phrases import normalise
from mailer.feedback.mime_headers import Headers, read_mailbox
from mailer.feedback.mime_part import MimePart

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


@dataclass(frozen=True, kw_only=True)
class HeaderSigns:
    """What the headers say.

    ``is_automatic``: a field says that a program answered. ``is_personal``: a field says that it was no
    program. ``points`` weigh the fields that programs write and that people's mail seldom has.
    ``is_ticket_system``: people write through such a system, and its own fields say nothing of who wrote.
    ``has_mailer``: a mail program that people write with named itself. ``answers`` and ``forwards``: the
    subject begins as that of a reply, or of a forwarded message.
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
    is_ticket = _is_ticket_system(headers) or _TICKET_SUBJECT.search(subject) is not None
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
    """A read receipt (RFC 8098)."""
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
    """Whether ``subject`` is a phrase before the topic of the conversation, in whatever language.

    Exchange makes the subject of an automatic reply so. What it writes before people's replies and forwarded
    messages is one short word; before answers to an invitation, one word.
    """
    if not topic or not subject.endswith(topic):
        return False
    before = subject.removesuffix(topic).strip()
    return before.endswith(":") and len(before) > 5 and (" " in before[:-1].strip() or not before.isascii())


def _is_ticket_system(headers: Headers) -> bool:
    return (
        any(_TICKET_FIELDS.match(name) for name, _ in headers.fields)
        or _TICKET_MAILER.search(_read_mailer(headers)) is not None
        or _TICKET_MAILER.search(headers.raw("message-id")) is not None
    )


def _read_mailer(headers: Headers) -> str:
    return f"{headers.get('x-mailer')} {headers.get('user-agent')}"


def _read_local_part(value: str) -> str:
    return read_mailbox(value).rpartition("@")[0]
