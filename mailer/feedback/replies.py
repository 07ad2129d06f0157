"""What a person wrote, without the message that they answer or forward.

For lists and for telling people from programs only: what goes on to the team is the message itself.
"""

import re
import tomllib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from mailer.feedback.mime_headers import list_addresses
from mailer.feedback.mime_part import MimePart

# A reply has tens of lines. What comes after thousands is the history of the conversation.
_MAX_LINES = 3000
_MAX_LINE = 1000
_MAX_ATTRIBUTION_LINES = 3
_FIELD_LINES = 6
_DAEMON = re.compile(r"mailer-daemon|postmaster|mail-?daemon", re.IGNORECASE)
_QUOTED = re.compile(r"\s{0,3}[>\uff1e]")
_TIME = re.compile(r"\d{1,2}:\d\d|\d{4}")
_TIME_AND_ADDRESS = re.compile(r"\d{1,2}:\d\d\b.{0,120}<[^<>\s]{1,80}@[^<>\s]{1,80}>:$")
_RULE = re.compile(r"\s*(?:_{8,}|-{20,}|={20,}|\*{20,})\s*")


class _Patterns(NamedTuple):
    separator: re.Pattern[str]
    attribution: re.Pattern[str]
    from_field: re.Pattern[str]
    next_field: re.Pattern[str]


def is_written_by_person(message: MimePart) -> bool:
    """Return whether a person, not a mail system or a newsletter, seems to have written ``message``, which is
    no bounce, complaint or automatic reply.
    """
    headers = message.headers
    senders = list_addresses(headers.get("from"))
    if not senders or _DAEMON.fullmatch(senders[0].rpartition("@")[0]):
        return False
    if headers.raw("return-path").replace(" ", "") == "<>":
        return False
    is_answer = "in-reply-to" in headers or "references" in headers
    return is_answer or "list-unsubscribe" not in headers


def read_own_text(text: str) -> str:
    """Return what the writer of ``text`` wrote themselves; "" if they only quoted or forwarded."""
    return split_reply(text)[0]


def split_reply(text: str) -> tuple[str, bool]:
    """Take quoted lines, and everything from the beginning of an original message, away from ``text``; return
    also whether there was anything of the kind.
    """
    lines = [line[:_MAX_LINE] for line in text.split("\n", _MAX_LINES)[:_MAX_LINES]]
    kept: list[str] = []
    has_quotation = False
    position = 0
    while position < len(lines):
        line = lines[position]
        if _QUOTED.match(line):
            has_quotation = True
            position += 1
            continue
        if _begins_original(lines, position):
            has_quotation = True
            break
        if length := _measure_attribution(lines, position):
            has_quotation = True
            position += length
            if not _is_quoted(lines, position):
                # Nothing marks the original's lines, so it reaches to the end.
                break
            continue
        kept.append(line.rstrip())
        position += 1
    return re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip(), has_quotation


def _begins_original(lines: Sequence[str], position: int) -> bool:
    """Return whether a whole message begins at ``position``: a separator, or a block of header fields."""
    patterns = _load_patterns()
    line = _simplify(lines[position])
    if patterns.separator.fullmatch(line):
        return True
    if _RULE.fullmatch(line):
        following = next((one for one in lines[position + 1 : position + 3] if one.strip()), "")
        return patterns.from_field.match(_simplify(following)) is not None
    if not patterns.from_field.match(line):
        return False
    fields = [_simplify(one) for one in lines[position + 1 : position + 1 + _FIELD_LINES] if one.strip()]
    return sum(patterns.next_field.match(one) is not None for one in fields) >= 2


def _measure_attribution(lines: Sequence[str], position: int) -> int:
    """Return how many lines say who wrote the quotation that follows; 0 if none does."""
    joined = ""
    for count in range(1, _MAX_ATTRIBUTION_LINES + 1):
        if position + count > len(lines) or not lines[position + count - 1].strip():
            return 0
        joined = f"{joined} {_simplify(lines[position + count - 1])}".strip()
        if joined.endswith((":", ".", "。")) or joined.endswith("---"):
            break
    if not joined.endswith(":"):
        return 0
    if (
        count > 1
        and _TIME.search(_simplify(lines[position + 1]))
        and _measure_attribution(lines, position + 1)
    ):
        # The next line says all of it, so that this one is the writer's.
        return 0
    # Russian programs write a time and an address, and no verb.
    names_writer = (
        _load_patterns().attribution.search(joined) is not None
        or _TIME_AND_ADDRESS.search(joined) is not None
    )
    has_date_or_address = re.search(r"\d|@", joined) is not None
    if _is_quoted(lines, position + count):
        return count if names_writer or has_date_or_address else 0
    return count if names_writer and has_date_or_address and re.search(r"\d.*\d|@", joined) else 0


def _is_quoted(lines: Sequence[str], position: int) -> bool:
    following = next((one for one in lines[position : position + 3] if one.strip()), "")
    return _QUOTED.match(following) is not None


def _simplify(line: str) -> str:
    line = line.strip().strip("*").lower()
    return line.replace("\u2019", "'").replace("\uff1a", ":").replace("\xa0", " ").replace(" :", ":")


@cache
def _load_patterns() -> _Patterns:
    words = tomllib.loads((files("mailer.feedback") / "quotations.toml").read_text(encoding="utf-8"))
    return _Patterns(
        # Possessive, because a line may be a thousand dashes.
        separator=re.compile(
            rf"[-_=>\s]*+(?:{'|'.join(words['separators'])})\s*+(?:[-_=]{{2,}}+|:)[-_=\s]*+"
        ),
        attribution=re.compile("|".join(words["attributions"])),
        from_field=re.compile(rf"(?:{'|'.join(words['from_fields'])})\*?:"),
        next_field=re.compile(rf"\*?(?:{'|'.join(words['next_fields'])})\*?:"),
    )
