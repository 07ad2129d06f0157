"""Why a message came back: a reason from a server's words and codes.

Words come first, codes are evidence. Servers put 5.1.1 beside "mailbox full" and beside "blocked", and 5.5.0
beside "user unknown", so a code alone decides only where the words say nothing.

Only what is certain makes an address dead. A temporary code (4.x.x) or a delay never does. "User unknown"
without a code of its own (5.1.x) does not either, unless it answers RCPT: some servers, those of Japan's
mobile networks for one, say it after DATA of people who filter their mail.
"""

from dataclasses import dataclass

from mailer.reasons.fault import USUAL_FAULTS, Fault
from mailer.reasons.reason import Reason
from mailer.reasons.rule_table import Evidence, Rule, load_rules
from mailer.reasons.server_words import (
    decode_words,
    find_command,
    find_enhanced_codes,
    find_reply_code,
    tidy_words,
)


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """What a server's words mean: why it returned a message, and whose fault that is."""

    reason: Reason
    fault: Fault


def classify_reason(
    words: str, *, status: str = "", code: str = "", action: str = "", host: str = "", command: str = ""
) -> Reason:
    """Return why a server returned a message; the arguments are those of :func:`classify_refusal`."""
    return classify_refusal(words, status=status, code=code, action=action, host=host, command=command).reason


def classify_refusal(
    words: str, *, status: str = "", code: str = "", action: str = "", host: str = "", command: str = ""
) -> Refusal:
    """Return why a server returned a message, and whose fault that is.

    ``words`` are the server's own ("550 5.1.1 User unknown"), with its codes or without. ``status`` is the
    enhanced code (``5.1.1``) and ``action`` the action of a report (RFC 3464), ``code`` the reply code,
    ``host`` the server that refused, ``command`` the SMTP command that it refused (``RCPT``, ``DATA``). All
    may be empty. Never raises.
    """
    words = decode_words(words)
    told = find_enhanced_codes(words)
    tidy = tidy_words(words)
    status = status.strip()
    # The words' own code is the refusing server's; a report's may be a translation of it.
    statuses = tuple(dict.fromkeys((*told, status))) if status else told
    evidence = Evidence(
        words=tidy,
        statuses=statuses,
        code=code.strip() or find_reply_code(words),
        command=command.strip().upper()[:4] or find_command(tidy),
        hosts=f"{host} {words}".lower(),
    )
    rule = load_rules().find_rule(evidence)
    if rule is None:
        return Refusal(reason=Reason.other, fault=USUAL_FAULTS[Reason.other])
    fault = rule.fault or USUAL_FAULTS[rule.reason]
    if evidence.command == "MAIL" and (rule.reason.is_dead or rule.reason is Reason.unconfirmed):
        # MAIL names the sender: what does not exist is our own address.
        return Refusal(reason=Reason.policy, fault=Fault.sender)
    if evidence.command == "MAIL" and fault is Fault.reader:
        # The reader is not named yet.
        fault = Fault.sender
    if rule.reason.is_dead and not _is_certain(rule, evidence, told, action):
        if rule.reason is Reason.no_such_host and _is_about_us(told, evidence):
            fault = Fault.sender
        return Refusal(reason=Reason.unconfirmed, fault=fault)
    return Refusal(reason=rule.reason, fault=fault)


def _is_about_us(told: tuple[str, ...], evidence: Evidence) -> bool:
    """Whether a server that misses a domain means ours: one that looks up names for security (5.7.x)."""
    deciding = told[0] if told else next(iter(evidence.statuses), "")
    return deciding.startswith("5.7.")


def _is_certain(rule: Rule, evidence: Evidence, told: tuple[str, ...], action: str) -> bool:
    """Whether the refusal is final, and is about the recipient."""
    deciding = told[0] if told else next(iter(evidence.statuses), "")
    is_temporary = deciding.startswith("4.") or (not told and evidence.code.startswith("4"))
    if is_temporary or action.lower() == "delayed":
        return False
    if rule.reason is Reason.no_such_host and _is_about_us(told, evidence):
        return False
    if not rule.unconfirmed:
        return True
    return evidence.command == "RCPT" or any(one.startswith("5.1.") for one in evidence.statuses)
