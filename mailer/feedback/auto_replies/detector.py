"""Decides whether a message is an automatic reply.

A person's reply must never be lost, so what is doubtful is a reply. A field that says so decides alone. Where
there is none, what programs write is weighed against what only people write: one remark of an absence is a
person's; a program says several things at once, and comes to the point at once.
"""

import re
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from mailer.feedback.auto_replies.header_signs import HeaderSigns, read_header_signs
from mailer.feedback.auto_replies.phrases import (
    PhraseKind,
    find_kinds,
    find_phrases,
    has_prefix,
    normalise,
    skip_courtesies,
)
from mailer.feedback.mime_part import MimePart
from mailer.feedback.replies import OwnText, split_reply

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
class _Point:
    """What a text says: ``opens`` if it says so at once, ``says_automatic`` if it also says that it is
    automatic."""

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
    reply = split_reply(message.readable_text)
    subject = normalise(message.headers.get("subject"))
    return _weigh(signs, subject, reply) >= _ENOUGH


def _weigh(signs: HeaderSigns, subject: str, reply: OwnText) -> int:
    text = normalise(reply.own)
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
    return points - _weigh_person(signs, reply)


def _find_point(text: str, *, anywhere: bool) -> _Point:
    """Read what ``text`` says. All of it counts if a phrase opens it, or ``anywhere``; otherwise only what
    programs, too, put last, under what was written for them."""
    start = skip_courtesies(text)
    end = _SENTENCE_END.search(text, start)
    limit = min(end.end() if end else len(text), start + _OPENING)
    # What follows a colon may be a quotation: "I wrote to you, and got this back: …".
    colon = text.find(":", start + _INTRODUCTION, limit)
    limit = colon if colon >= 0 else limit
    found = [match for match in find_phrases(text) if match.kind not in _NOTHING]
    kinds = frozenset(match.kind for match in found)
    statements = {
        match.start
        for match in found
        if match.kind is not PhraseKind.automation or _is_statement(text, match.start, start)
    }
    opens = any(start <= position < limit for position in statements)
    says_automatic = any(match.kind is PhraseKind.automation and match.start in statements for match in found)
    return _Point(
        kinds=kinds if opens or anywhere else kinds & _FOOTER,
        opens=opens,
        says_automatic=opens and says_automatic,
    )


def _is_statement(text: str, position: int, point: int) -> bool:
    """Whether a phrase at ``position`` is a sentence of its own, not one about somebody else's message.

    ``point`` is where the text begins, after greetings.
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


def _weigh_person(signs: HeaderSigns, reply: OwnText) -> int:
    """Weigh what only people do: they use a mail program, quote what they answer, and ask."""
    text = normalise(reply.own)
    points = 2 * signs.has_mailer + 2 * reply.has_quotation
    points += 2 * (PhraseKind.device in find_kinds(text))
    return points + (_QUESTION.search(text, skip_courtesies(text)) is not None)
