"""Classify SMTP replies: what each means for the recipient, the connection and the campaign.

One table and one pure function. The question is always whose fault a refusal is. A server that refuses the
sender, the login or the content has said nothing about the recipient, and treating every 5xx as a dead
address would drop two valid subscribers for each dead one.
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from locales.phrase import gettext_noop
from mailer.reasons.reason import Fault, Reason
from mailer.reasons.reason_classifier import classify_refusal

# RFC 3463: no such mailbox (1), system (2), syntax (3), moved (6), null MX (10); permanently disabled
# (5.2.1). The other 5.1.x codes are about the sender's address.
_DEAD_ADDRESS_CODES = r"5\.1\.(?:1|2|3|6|10)|5\.2\.1"
_MAILBOX_CODES = r"5\.2\.\d+"
# "Too many messages in this session" asks for a new connection, not for a lower rate.
_SESSION_FULL = r"\b(?:per|this|one|single) (?:smtp )?(?:session|connection)\b"
_SENDER_FAULT = re.compile(
    r"relay|spam|spf|dkim|dmarc|block|black ?list|deny|denied|policy|reputation|authenticat|not permitted|"
    r"not allowed|too many|rate|banned|helo|ptr\b|reverse",
    re.IGNORECASE,
)
_SAYS_DEAD = re.compile(
    r"(?:no such|unknown|invalid|non-?existent|unrouteable|bad destination) "
    r"(?:e?-?mail |local )?(?:user|recipient|mailbox|address|account|person|domain|host|part)\b|"
    r"\b(?:user|recipient|mailbox|address|account|domain|host)\b.{0,60}"
    r"(?:n[’']t exist|\b(?:unknown|not (?:found|exist|known|here)|no longer|disabled|inactive|invalid))\b|"
    r"\bno mailbox\b",
    re.IGNORECASE,
)
_SAYS_SOMETHING_ELSE = re.compile(r"\brate\b|quota|\bfull\b|too many|\bsender\b|verif", re.IGNORECASE)
_MAX_DELAY = timedelta(hours=4)
_UNITS = {"s": 1, "m": 60, "h": 3600}
_ASKS_TO_WAIT = re.compile(r"retry|again|gr[ae]ylist|wait|defer|come back", re.IGNORECASE)
_DELAY = re.compile(
    r"\b(?:in|after|for)\s+(?:(?P<count>\d{1,6})\s*(?P<unit>s|sec|second|m|min|minute|h|hr|hour)s?"
    r"|(?P<hours>\d{1,2}):(?P<minutes>\d\d):(?P<seconds>\d\d))\b",
    re.IGNORECASE,
)


class Stage(StrEnum):
    """Stages of the delivery of a message."""

    build = "build"
    """Building the message. No server was involved."""

    connect = "connect"
    """Opening the connection, the greeting, EHLO."""

    tls = "tls"
    """Upgrading the connection to TLS."""

    login = "login"
    """Logging in."""

    sign_in = "sign-in"
    """Getting a token to log in with. The server was not asked."""

    reset = "reset"
    """RSET: the envelope is dropped after a refusal."""

    mail = "mail"
    """MAIL FROM: the server checks the sender."""

    rcpt = "rcpt"
    """RCPT TO: the server checks the recipient."""

    data = "data"
    """DATA, before any byte of the message."""

    body = "body"
    """The message is being sent; its final dot is not out yet."""

    dot = "dot"
    """The final dot may have reached the server."""


class Verdict(StrEnum):
    """Verdicts on a delivery."""

    sent = "sent"
    """The server accepted the message."""

    deferred = "deferred"
    """Not now: try this recipient again later."""

    rejected = "rejected"
    """The server permanently refused this recipient."""

    failed = "failed"
    """The message cannot be sent to this server at all; the server was not asked."""

    in_doubt = "in_doubt"
    """It is not known whether the server accepted the message."""

    give_back = "give_back"
    """Nothing happened to this recipient; the delivery goes back in the queue."""

    stop = "stop"
    """The server refuses us or the message. Whether it refuses every message, only several can tell."""


# A tuple, because every message creates one: a frozen dataclass takes three times as long.
class Outcome(NamedTuple):
    """The outcome of the delivery of one message. ``text`` is the server's own if ``code`` is set.
    ``retry_after`` is the wait the server asked for; ``slow_down`` asks for a lower rate; ``reconnect`` says
    that the connection cannot be used any more."""

    verdict: Verdict
    stage: Stage
    code: int | None = None
    text: str = ""
    retry_after: timedelta | None = None
    slow_down: bool = False
    reconnect: bool = False

    @property
    def is_attempt(self) -> bool:
        """Whether this counts as an attempt: the server was asked about the recipient, not only about us."""
        return self.stage in _RECIPIENT_STAGES

    @property
    def reason(self) -> str:
        """The code and text on one line, as the ledger stores them."""
        return self.text if self.code is None else f"{self.code} {self.text}".strip()

    @property
    def recorded_text(self) -> str:
        """The text as the ledger keeps it. Some servers say "user unknown" after DATA of people who filter
        their mail, so the ledger must tell that from an answer to RCPT; the words are Postfix's."""
        command = _OTHER_COMMANDS.get(self.stage)
        is_reply = self.code is not None and self.verdict is Verdict.rejected
        return f"{self.text} (in reply to {command} command)" if command and is_reply else self.text

    @property
    def summary(self) -> str:
        """Why a campaign must stop, as shown to people."""
        return _STAGE_SUMMARIES[self.stage] % {"reason": self.reason}


_RECIPIENT_STAGES: Final = frozenset({Stage.rcpt, Stage.data, Stage.body, Stage.dot})

_OTHER_COMMANDS: Final = {Stage.mail: "MAIL FROM", Stage.data: "DATA", Stage.dot: "end of DATA"}

_STAGE_SUMMARIES: Final = {
    Stage.build: gettext_noop("The message cannot be built: %(reason)s"),
    Stage.connect: gettext_noop("The mail server cannot be used: %(reason)s"),
    Stage.tls: gettext_noop("The connection cannot be secured: %(reason)s"),
    Stage.login: gettext_noop("The mail server refuses the login: %(reason)s"),
    Stage.sign_in: gettext_noop("The mailer cannot sign in to the mail server: %(reason)s"),
    Stage.reset: gettext_noop("The mail server cannot be used: %(reason)s"),
    Stage.mail: gettext_noop("The mail server refuses the sender: %(reason)s"),
    Stage.rcpt: gettext_noop("The mail server refuses to send for us: %(reason)s"),
    Stage.data: gettext_noop("The mail server refuses the message: %(reason)s"),
    Stage.body: gettext_noop("The mail server refuses the message: %(reason)s"),
    Stage.dot: gettext_noop("The mail server refuses the message: %(reason)s"),
}


@dataclass(frozen=True, kw_only=True)
class _Rule:
    """One row of the table; the first rule that matches decides. ``code`` and ``enhanced`` must match
    completely, ``text`` anywhere. A missing enhanced status code (RFC 3463) is the empty string."""

    stages: frozenset[Stage]
    code: str
    verdict: Verdict
    enhanced: str = ".*"
    text: str = ""
    slow_down: bool = False
    reconnect: bool = False

    def matches(self, stage: Stage, code: int, enhanced: str, text: str) -> bool:
        return (
            stage in self.stages
            and re.fullmatch(self.code, str(code)) is not None
            and re.fullmatch(self.enhanced, enhanced) is not None
            and re.search(self.text, text, re.IGNORECASE) is not None
        )


_BEFORE_DOT = frozenset(Stage) - {Stage.dot}


def _stages(*stages: Stage) -> frozenset[Stage]:
    return frozenset(stages)


RULES: Final = (
    _Rule(stages=_stages(Stage.dot), code="2..", verdict=Verdict.sent),
    _Rule(
        stages=_stages(Stage.dot), code="4..", text=_SESSION_FULL, verdict=Verdict.deferred, reconnect=True
    ),
    # RFC 5321 §4.2.1: a 4yz means not accepted, 421 included. Amazon SES reports too high a rate here (454).
    _Rule(stages=_stages(Stage.dot), code="421", verdict=Verdict.deferred, slow_down=True, reconnect=True),
    _Rule(stages=_stages(Stage.dot), code="4..", verdict=Verdict.deferred, slow_down=True),
    # Size, content, policy: perhaps the next recipient gets the same reply.
    _Rule(stages=_stages(Stage.dot), code="5..", verdict=Verdict.stop),
    _Rule(stages=_stages(Stage.dot), code=".*", verdict=Verdict.in_doubt, reconnect=True),
    # Too many messages from us, said to RCPT: put back in the queue, this recipient would get the same reply
    # for ever.
    _Rule(
        stages=_stages(Stage.rcpt),
        code="421",
        enhanced=r"4\.7\..*",
        verdict=Verdict.deferred,
        slow_down=True,
        reconnect=True,
    ),
    _Rule(stages=_BEFORE_DOT, code="421", verdict=Verdict.give_back, reconnect=True),
    # 454 is a server in trouble; how long to leave it alone is decided for all connections together.
    _Rule(stages=_stages(Stage.tls, Stage.login), code="5..", verdict=Verdict.stop, reconnect=True),
    # 452 4.4.5 here means "enough for one session" or "enough for now": the connection stays open but is
    # useless.
    _Rule(
        stages=_stages(Stage.mail), code="4..", text=_SESSION_FULL, verdict=Verdict.give_back, reconnect=True
    ),
    _Rule(stages=_stages(Stage.mail), code="4..", verdict=Verdict.give_back, slow_down=True, reconnect=True),
    _Rule(stages=_stages(Stage.mail), code="5..", verdict=Verdict.stop),
    _Rule(stages=_stages(Stage.rcpt), code="4..", verdict=Verdict.deferred),
    # "Authentication required" is not the recipient's fault.
    _Rule(stages=_stages(Stage.rcpt), code="530", verdict=Verdict.stop),
    # A full mailbox may be emptied (RFC 5321 §4.5.3.1.10 wants 552 treated as 452).
    _Rule(stages=_stages(Stage.rcpt), code="552", verdict=Verdict.deferred),
    _Rule(stages=_stages(Stage.rcpt), code="5..", enhanced=r"5\.2\.2", verdict=Verdict.deferred),
    # is_dead_address() tells a dead address from our own fault, which the circuit breaker counts.
    _Rule(stages=_stages(Stage.rcpt), code="5..", verdict=Verdict.rejected),
    _Rule(stages=_stages(Stage.data), code="4..", verdict=Verdict.deferred),
    _Rule(stages=_stages(Stage.data), code="5..", verdict=Verdict.stop),
    # A malformed reply, or a code that does not belong here.
    _Rule(stages=_BEFORE_DOT, code=".*", verdict=Verdict.give_back, reconnect=True),
)
# Only these may say when to try again.
_RETRYABLE: Final = frozenset({Verdict.deferred, Verdict.give_back})


def classify_reply(stage: Stage, code: int, text: str) -> Outcome:
    """Classify the reply ``code`` ``words`` at ``stage``. The caller handles 354 to DATA itself."""
    if stage is Stage.dot and 200 <= code <= 299:
        # Nearly every reply; the table is not needed.
        return Outcome(Verdict.sent, Stage.dot, code, text)
    enhanced = find_enhanced_code(code, text)
    rule = next(rule for rule in RULES if rule.matches(stage, code, enhanced, text))
    verdict = rule.verdict
    if verdict is Verdict.stop:
        verdict = _find_recipient_verdict(stage, code, enhanced, text) or verdict
    return Outcome(
        verdict=verdict,
        stage=stage,
        code=code,
        text=text,
        retry_after=find_retry_delay(text) if verdict in _RETRYABLE else None,
        slow_down=rule.slow_down,
        reconnect=rule.reconnect,
    )


def _find_recipient_verdict(stage: Stage, code: int, enhanced: str, text: str) -> Verdict | None:
    """Return the verdict on the recipient if a refusal of the sender or the message is about them: RFC 5321
    §4.5.3.1 lets servers wait with that until the final dot. None if it is about us. Words alone do not count
    at MAIL, where they speak of the sender."""
    if stage not in _OTHER_COMMANDS:
        return None
    reason, fault = classify_refusal(text, code=str(code), command="DATA")
    has_code = re.fullmatch(f"{_DEAD_ADDRESS_CODES}|{_MAILBOX_CODES}", enhanced) is not None
    is_told = fault is Fault.reader and stage is not Stage.mail
    if reason.concerns_us or not (has_code or is_told):
        return None
    return Verdict.deferred if reason is Reason.full or enhanced == "5.2.2" else Verdict.rejected


def find_enhanced_code(code: int, text: str) -> str:
    """Return the enhanced status code ("5.1.1") at the start of ``words``, if it has the class of ``code``,
    else ""."""
    found = re.match(r"\s*([245]\.\d{1,3}\.\d{1,3})(?!\S)", text)
    return found[1] if found and found[1][0] == str(code)[0] else ""


def is_dead_address(code: int | None, text: str) -> bool:
    """Return whether a refusal at RCPT means that the address is dead, and not that the sender is unwelcome.
    Without an enhanced status code the text decides: "550 Relaying denied" is about us."""
    if code not in {550, 551, 553}:
        return False
    enhanced = find_enhanced_code(code, text)
    if enhanced:
        return re.fullmatch(_DEAD_ADDRESS_CODES, enhanced) is not None
    return _SENDER_FAULT.search(text) is None


def is_certainly_dead(code: int | None, words: str) -> bool:
    """Return whether a refusal says clearly that the mailbox or the domain does not exist. Stricter than
    :func:`is_dead_address`, because the reader then gets no more mail: without an enhanced code the text must
    say that the address is dead, which "550 Rejected" does not. Gmail also uses 5.2.1 for a mailbox that
    receives mail too fast."""
    if not is_dead_address(code, words) or _SAYS_SOMETHING_ELSE.search(words):
        return False
    return bool(find_enhanced_code(code or 0, words)) or _SAYS_DEAD.search(words) is not None


def find_retry_delay(text: str) -> timedelta | None:
    """Return how long the server asks to wait, at most four hours: "Greylisted, try again in 300 seconds" or
    "come back in 00:05:00"."""
    found = _DELAY.search(text) if _ASKS_TO_WAIT.search(text) else None
    if found is None:
        return None
    if found["unit"]:
        asked = timedelta(seconds=int(found["count"]) * _UNITS[found["unit"][0].lower()])
    else:
        hours, minutes, seconds = int(found["hours"]), int(found["minutes"]), int(found["seconds"])
        asked = timedelta(hours=hours, minutes=minutes, seconds=seconds)
    return max(timedelta(seconds=1), min(asked, _MAX_DELAY))


def clean_reply_text(text: str) -> str:
    """Clean a server's text to store and show: one line, no control characters, at most 1,000 characters."""
    line = " ".join(text.split())
    if not line.isprintable():
        line = "".join(filter(str.isprintable, line))
    return line[:1000]
