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
# The words of qmail for the two commands, and of a server that names the command.
_PROSE = (
    ("does not like recipient", "RCPT"),
    ("failed after i sent the message", "DATA"),
    ("smtp:rcpt host", "RCPT"),
)

# Postfix's words, at the end of what it says of one recipient.
_IN_REPLY_TO = re.compile(r"\(in\s+reply\s+to\s+(?:end\s+of\s+)?(RCPT|DATA|MAIL)\b", re.IGNORECASE)
_TRANSCRIPT = re.compile(r"transcript of session follows[ \t-]*\n", re.IGNORECASE)
_PARAGRAPH_END = re.compile(r"\n[ \t]*\n")


def find_refused_command(text: str, address: str, *, is_only: bool) -> str:
    """Return "RCPT", "DATA" or "MAIL", "" where ``text`` does not show what was refused for ``address``.

    Unless ``is_only`` says that the notice is about this one recipient, only what names the address counts.
    """
    if command := _find_in_paragraph(text, address):
        return command
    if ">>>" in text or "-->" in text:
        for match in _REFUSED.finditer(text):
            command = match[1].upper()
            if command == "RCPT":
                if address.lower() in match[2].lower():
                    return command
            elif is_only:
                has_no_recipient = command in ("DATA", ".") and _NO_RECIPIENT.search(match[3])
                return "RCPT" if has_no_recipient else command.replace(".", "DATA")
    lower_text = text.lower() if is_only else ""
    return next((command for words, command in _PROSE if words in lower_text), "")


def find_transcript(text: str) -> str:
    """Return the lines under Sendmail's "Transcript of session follows", "" if there are none.

    Programs that deliver on the same machine say there why they could not, without a reply code.
    """
    heading = _TRANSCRIPT.search(text)
    if heading is None:
        return ""
    lines = text[heading.end() :].lstrip()
    end = _PARAGRAPH_END.search(lines)
    return lines[: end.start()] if end else lines


def _find_in_paragraph(text: str, address: str) -> str:
    """The command that Postfix names in its paragraph on ``address``."""
    start = text.lower().find(f"<{address.lower()}>: ")
    if start < 0:
        return ""
    end = _PARAGRAPH_END.search(text, start)
    match = _IN_REPLY_TO.search(text, start, end.start() if end else len(text))
    return match[1].upper() if match else ""
