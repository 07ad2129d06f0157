"""Decides whether a message is an automatic reply.

A person's reply must never be lost, so what is doubtful is a reply. A field that says so decides alone. Where
there is none, what programs write is weighed against what only people write: one remark of an absence is a
person's; a program says several things at once, and comes to the point at once.
"""

import re
from collections.abc import Set as AbstractSet

from mailer.feedback.auto_replies.header_signs import HeaderSigns, read_header_signs
from mailer.feedback.auto_replies.phrases import (
    PhraseKind,
    find_kinds,
    find_phrases,
    has_prefix,
    normalise,
    skip_courtesies,
)
from mailer.feedback.mime.part import MimePart
from mailer.feedback.replies import OwnText, split_reply

_ENOUGH = 4
# How far into the text, after greetings and thanks, the point may begin: about a sentence.
_OPENING = 120
# "Please note:" and "Automatic reply:" are shorter.
_INTRODUCTION = 20
_SENTENCE_END = re.compile(r"[.!?](?= |$)|[。؟]")

_DECISIVE = frozenset({PhraseKind.challenge, PhraseKind.robot, PhraseKind.read_receipt})
_NOTHING = frozenset(
    {
        PhraseKind.courtesy,
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
    of_text = _find_point(text)
    if signs.is_ticket_system or PhraseKind.reply_line in find_kinds(text):
        # What such a system puts last stands under people's words, too.
        if of_text == _FOOTER:
            of_text = frozenset()
        return points + _count(_TICKET_WORDS & of_text) + _count(_TICKET_WORDS & of_subject)
    points += _count(of_text | of_subject)
    points += PhraseKind.subject_words in of_subject and not of_text & of_subject
    return points - _weigh_person(signs, reply)


def _find_point(text: str) -> AbstractSet[PhraseKind]:
    """Return what the phrases of ``text`` say, if one of them opens it; otherwise what may stand last."""
    start = skip_courtesies(text)
    end = _SENTENCE_END.search(text, start)
    limit = min(end.end() if end else len(text), start + _OPENING)
    # What follows a colon may be a quotation: "I wrote to you, and got this back: …".
    colon = text.find(":", start + _INTRODUCTION, limit)
    limit = colon if colon >= 0 else limit
    found = [match for match in find_phrases(text) if match.kind not in _NOTHING]
    kinds = frozenset(match.kind for match in found)
    if any(start <= match.start < limit for match in found):
        return kinds
    # Programs, too, put a last sentence under what was written for them.
    return kinds & _FOOTER


def _count(kinds: AbstractSet[PhraseKind]) -> int:
    return sum(
        3 if kind in _DECISIVE else 2 if kind is PhraseKind.automation else 1 for kind in kinds - _NOTHING
    )


def _weigh_person(signs: HeaderSigns, reply: OwnText) -> int:
    """Weigh what only people do: they use a mail program, quote what they answer, and ask."""
    text = normalise(reply.own)
    points = 2 * signs.has_mailer + 2 * reply.has_quotation + signs.answers
    points += 2 * (PhraseKind.device in find_kinds(text))
    return points + (_QUESTION.search(text, skip_courtesies(text)) is not None)
