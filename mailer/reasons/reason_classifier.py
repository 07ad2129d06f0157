"""Why a message came back: a reason from a server's words and codes.

Words come first, codes are evidence. Servers put 5.1.1 beside "mailbox full" and beside "blocked", and 5.5.0
beside "user unknown", so a code alone decides only where the words say nothing.

Only what is certain makes an address dead. A temporary code (4.x.x) or a delay never does. "User unknown"
without a code of its own (5.1.x) does not either, unless it answers RCPT: some servers, those of Japan's
mobile networks for one, say it after DATA of people who filter their mail.
"""

import html
import re
import unicodedata
from urllib.parse import unquote

from mailer.reasons.reason import USUAL_FAULTS, Fault, Reason
from mailer.reasons.rule_table import RefusalEvidence, Rule, load_rules

# Servers say why in their first lines; what follows is help text, or a copy of the message.
_MAX_LENGTH = 4000
_ADDRESS = re.compile(
    r"(?<![^\s<>\"'(),;:\[\]])[^\s<>@\"'(),;:\[\]]{1,128}@(?:[^\s<>@\"'(),;:\[\]]{1,255}|\[[^\s\]]{1,64}\])"
)
# Stands for an address for a moment; no server writes it.
_PLACE = "\N{OBJECT REPLACEMENT CHARACTER}"
_ADDRESS_AND_COLON = re.compile(_PLACE + "[ >\"')]{0,4}:")
_TAG = re.compile(r"</?[A-Za-z][A-Za-z0-9]{0,15}(?:\s[^<>]{0,300})?/?>")
_PERCENT_ENCODED = re.compile(r"(?:%[0-9A-Fa-f]{2}){2}|%20")
# The look behind follows the first digit, because Python then skips to digits.
_CODE = re.compile(r"[245](?<![\d.].)(?:\.\d{1,3}\.\d{1,3}(?![\d.])|\d\d(?=[- ])-?)")
_ENHANCED_CODE = re.compile(r"[45](?<![\d.].)\.\d\.\d{1,3}(?![\d.])")
_REPLY_CODE = re.compile(r"[45](?<![\d.].)[0-7]\d(?=[- ])")
_TO_SPACES = {ord(one): " " for one in '<>"“”„«»()[]{}`_*|\\#'}
_SINGLE_QUOTE = re.compile(r"'(?<!\w')|'(?!\w)")
# Cisco's servers put their own words before the reply that they were given.
_WRAPPER = re.compile(r"5\.\d\.0 - (?:Unknown address error|Other mail system problem) (?=\d|')")
# Servers leave accents out as often as not. Latin letters only: without its marks, Japanese has other words.
_WITHOUT_ACCENTS: dict[int, str] = {
    **{number: unicodedata.normalize("NFD", chr(number))[0] for number in range(0xC0, 0x250)},
    **{
        ord("ł"): "l",
        ord("ø"): "o",
        ord("đ"): "d",
        ord("ı"): "i",
        ord("ß"): "ss",
        ord("æ"): "ae",
        ord("œ"): "oe",
    },
}
_MISSPELT_DOES_NOT = re.compile(r"\b(?:do(?:es|s)nt|dos not)\b")
# Who said it is not what was said: "host mx.example.org said: … does not exist" is about no host.
_HOST_SAID = re.compile(r"\bhost (?:\S{1,255} ){0,2}said:")
_SPACE_BETWEEN_IDEOGRAPHS = re.compile(
    r"(?<=[\u3040-\u30ff\u3400-\u9fff\uff00-\uffef]) (?=[\u3040-\u30ff\u3400-\u9fff\uff00-\uffef])"
)
_ANSWERED_TO = re.compile(
    r"(?:reply to|after|answer to|response to|our|for|>>>|:) (?:the )?(?:final |end of )?"
    r"(rcpt|data|mail|ehlo|helo|text)(?: to| from| command|:)"
    r"|(end of data)|(?:reply to|our) final (data)| (rcpt|data|mail) (?:to|from)$",
)


def decode_words(words: str) -> str:
    """Return the beginning of ``words`` without percent-encoding, HTML, and words that wrap others."""
    text = words[:_MAX_LENGTH]
    if "%" in text and _PERCENT_ENCODED.search(text):
        text = unquote(text, errors="replace")
    if "<" in text or "&" in text:
        text = html.unescape(_TAG.sub(" ", text))
    return _WRAPPER.sub("", text) if ".0 - " in text else text


def tidy_words(words: str) -> str:
    """Return decoded ``words`` on one line, in small letters, without addresses, reply codes and quotes.

    Addresses are removed, because "no-such-user@example.org" says nothing about itself; one that is followed
    by a colon leaves "@:". "doesn't" becomes "does not", and "e-mail" becomes "email". Before the first word
    is a space.
    """
    text = words
    if "@" in text:
        text = _ADDRESS_AND_COLON.sub(" @: ", _ADDRESS.sub(_PLACE, text)).replace(_PLACE, " ")
    text = text.lower()
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text).translate(_WITHOUT_ACCENTS)
    # Replies of several lines repeat their codes: "550-5.1.1 The account 550 5.1.1 does not exist".
    text = _CODE.sub(" ", text).replace("’", "'").replace("e-mail", "email")
    text = text.replace("can't", "can not").replace("cannot", "can not").replace("n't", " not")
    text = _MISSPELT_DOES_NOT.sub("does not", text)
    if "said" in text:
        text = _HOST_SAID.sub(" ", text)
    text = text.translate(_TO_SPACES)
    if "'" in text:
        text = _SINGLE_QUOTE.sub(" ", text)
    text = " " + " ".join(text.split())
    return text if text.isascii() else _SPACE_BETWEEN_IDEOGRAPHS.sub("", text)


def find_enhanced_codes(words: str) -> tuple[str, ...]:
    """Return the enhanced status codes (RFC 3463) in ``words``, each once, in their order."""
    return tuple(dict.fromkeys(_ENHANCED_CODE.findall(words)))


def find_reply_code(words: str) -> str:
    """Return the first SMTP reply code of an error in ``words``, or ""."""
    found = _REPLY_CODE.search(words)
    return found[0] if found else ""


def find_command(tidy: str) -> str:
    """Return the SMTP command that tidied words say was refused: "RCPT", "DATA", "MAIL", … or ""."""
    found = _ANSWERED_TO.search(tidy)
    if found is None:
        return ""
    command = (found[1] or found[3] or found[4] or "data").upper()
    return "DATA" if command == "TEXT" else command


def classify_reason(
    words: str, *, status: str = "", code: str = "", action: str = "", host: str = "", command: str = ""
) -> Reason:
    """Return why a server returned a message; the arguments are those of :func:`classify_refusal`."""
    return classify_refusal(words, status=status, code=code, action=action, host=host, command=command)[0]


def classify_refusal(
    words: str, *, status: str = "", code: str = "", action: str = "", host: str = "", command: str = ""
) -> tuple[Reason, Fault]:
    """Return why a server returned a message, and whose fault that is.

    ``words`` are the server's own ("550 5.1.1 User unknown"), with its codes or without. ``status`` is the
    enhanced code (``5.1.1``) and ``action`` the action of a report (RFC 3464), ``code`` the reply code,
    ``host`` the server that refused, ``command`` the SMTP command that it refused (``RCPT``, ``DATA``),
    unless the words name another. All may be empty. Never raises.
    """
    words = decode_words(words)
    told = find_enhanced_codes(words)
    tidy = tidy_words(words)
    status = status.strip()
    # The words' own code is the refusing server's; a report's may be a translation of it.
    statuses = tuple(dict.fromkeys((*told, status))) if status else told
    evidence = RefusalEvidence(
        words=tidy,
        statuses=statuses,
        code=code.strip() or find_reply_code(words),
        command=find_command(tidy) or command.strip().upper()[:4],
        hosts=f"{host} {words}".lower(),
    )
    rule = load_rules().find_rule(evidence)
    if rule is None:
        return Reason.other, USUAL_FAULTS[Reason.other]
    fault = rule.fault or USUAL_FAULTS[rule.reason]
    if evidence.command == "MAIL" and (rule.reason.is_dead or rule.reason is Reason.unconfirmed):
        # MAIL names the sender: what does not exist is our own address.
        return Reason.policy, Fault.sender
    if evidence.command == "MAIL" and fault is Fault.reader:
        # The reader is not named yet.
        fault = Fault.sender
    if rule.reason.is_dead and not _is_certain(rule, evidence, told, action):
        if rule.reason is Reason.no_such_host and _is_about_us(told, evidence):
            fault = Fault.sender
        return Reason.unconfirmed, fault
    return rule.reason, fault


def _is_about_us(told: tuple[str, ...], evidence: RefusalEvidence) -> bool:
    """Return whether a server that misses a domain means ours: it looks up names for security (5.7.x)."""
    deciding = told[0] if told else next(iter(evidence.statuses), "")
    return deciding.startswith("5.7.")


def _is_certain(rule: Rule, evidence: RefusalEvidence, told: tuple[str, ...], action: str) -> bool:
    """Return whether the refusal is final, and is about the recipient."""
    deciding = told[0] if told else next(iter(evidence.statuses), "")
    is_temporary = deciding.startswith("4.") or (not told and evidence.code.startswith("4"))
    if is_temporary or action.lower() == "delayed":
        return False
    if rule.reason is Reason.no_such_host and _is_about_us(told, evidence):
        return False
    if not rule.unconfirmed:
        return True
    return evidence.command == "RCPT" or any(one.startswith("5.1.") for one in evidence.statuses)
