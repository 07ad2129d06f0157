"""Whether a message can be a bounce at all: by its sender, its envelope and its subject."""

import re

from mailer.feedback.mime_part import MimePart

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


def may_be_bounce(message: MimePart) -> bool:
    """Whether it is worth asking the rules: a machine sent it, or its subject is that of a bounce."""
    headers = message.headers
    return (
        is_from_server(message)
        or _has_null_sender(message)
        or _has_bounce_subject(message)
        or "amazon" in headers.raw("from").lower()
        or headers.raw("auto-submitted").strip().lower() not in ("", "no")
    )


def is_from_server(message: MimePart) -> bool:
    """Whether a mail server sent it, as far as its sender or its form tells.

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
    """Whether somebody forwarded a bounce, by its subject."""
    subject = message.headers.get("subject")
    return bool(_FORWARDED.match(subject) and _BOUNCE_SUBJECT.search(subject))


def is_from_mail_system(message: MimePart) -> bool:
    """Whether a mail server wrote it, rather than a person or a person's vacation program."""
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
    """Whether the envelope sender is empty, as RFC 5321 (section 4.5.5) asks of notices."""
    path = message.headers.raw("return-path").strip() if "return-path" in message.headers else "?"
    return path in ("<>", "", "<MAILER-DAEMON>") or path.lower().startswith("<mailer-daemon@")


def _has_bounce_subject(message: MimePart) -> bool:
    subject = message.headers.get("subject")
    return bool(_BOUNCE_SUBJECT.search(subject)) and not _ANSWERED.match(subject)
