"""Which SMTP command a server refused, where a bounce shows the session (``>>> RCPT TO:``, ``<<< 550``)."""

import re

_REFUSED = re.compile(
    r"^[ \t]*(?:>>>|-->|Sent <<<)[ \t]*(RCPT|DATA|MAIL|\.)(.*)\n(?:[ \t]*\n)?"
    r"[ \t]*(?:<<<|<--|Received >>>)[ \t]*[45]\d\d(.*(?:\n[ \t]*<<<.*){0,8})",
    re.IGNORECASE | re.MULTILINE,
)
# After a refused RCPT, a server that was asked for both at once (RFC 2920) says this to DATA.
_NO_RECIPIENT = re.compile(
    r"\b(?:503|554)\b.{0,20}(?:need rcpt|no valid recipients|valid rcpt)", re.IGNORECASE
)
# qmail's words for the two commands.
_PROSE = (("does not like recipient", "RCPT"), ("failed after i sent the message", "DATA"))


def find_refused_command(text: str, address: str) -> str:
    """Return "RCPT", "DATA" or "MAIL", "" where ``text`` does not show what was refused for ``address``."""
    if ">>>" in text or "-->" in text:
        for match in _REFUSED.finditer(text):
            command = match[1].upper()
            if command == "RCPT" and address.lower() not in match[2].lower():
                continue
            if command in ("DATA", ".") and _NO_RECIPIENT.search(match[3]):
                return "RCPT"
            return "DATA" if command == "." else command
    lower_text = text.lower()
    return next((command for words, command in _PROSE if words in lower_text), "")
