"""Finds who followed a person, in an automatic reply that says that they have left.

Somebody who is asked to help in urgent cases, while the person is away, is no successor; nor is a help desk,
or the same person at another address. What is found is only proposed, beside the words that say so.
"""

import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from mailer.feedback.auto_replies.names import find_name
from mailer.feedback.auto_replies.phrases import PhraseKind, find_kinds, normalise

# Servers and people write no more into an automatic reply.
_MAX_TEXT = 8000
_MAX_PROPOSALS = 5
_MAX_WORDS = 600
# How many sentences may lie between the one that says that somebody left and the one with the address.
_REACH = 3
# How many sentences before the address are shown beside it; the one after it is, too.
_CONTEXT = 2
_SENTENCE = re.compile(
    r"(?:[^.!?。！？؟\n]|[.!?](?=[^\s])|(?<=\b\w)\.|(?<=\b[DM]r)\.|(?<=\b[DM]rs)\.|(?<=\d)\. (?=\w))+"
    r"[.!?。！？؟]*"
)
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63})+")
# A mailbox of an office is no person who followed.
_DESK = re.compile(
    r"(?:help-?_?desk|service-?_?desk|support|it|ict|edv|hotline|no-?_?reply|do-?_?not-?_?reply|postmaster|webmaster|"
    r"mailer-daemon|abuse|privacy|dpo|security|reception|switchboard|servicedesk|it-?(?:help|support|service)\w*|"
    r"admin|administrator|root|helpline|unsubscribe|leave|bounce|newsletter|news|info|contact\w*|kontakt|office|mail|"
    r"post|enquir(?:y|ies)|inquir(?:y|ies)|secr[eé]tar\w*|sekretariat\w*|accueil|hello|team|registry|press|hr)"
    r"(?:[+._-].*)?",
    re.IGNORECASE,
)
_LEAVING = frozenset({PhraseKind.departure, PhraseKind.successor})
_TEMPORARY = frozenset({PhraseKind.absence, PhraseKind.return_})


@dataclass(frozen=True, kw_only=True)
class NamedSuccessor:
    """Somebody who may follow the person that left: ``name`` is "" if none was found beside the address.

    ``words`` are the very sentences that name them, on one line.
    """

    address: str
    name: str
    words: str


def read_successors(text: str, *, known: Collection[str]) -> tuple[NamedSuccessor, ...]:
    """Return who follows the writer of an automatic reply, by its ``text``.

    ``known`` are the addresses of the writer and our own.
    """
    sentences = _split_sentences(text[:_MAX_TEXT])
    kinds = [find_kinds(normalise(sentence)) for sentence in sentences]
    if not _has_left(frozenset[PhraseKind]().union(*kinds)):
        return ()
    ours = {address.lower() for address in known}
    found: dict[str, NamedSuccessor] = {}
    for position, sentence in enumerate(sentences):
        for match in _ADDRESS.finditer(sentence):
            address = match[0].strip(".'`")
            if address.lower() in ours or address.lower() in found or _DESK.fullmatch(address.split("@")[0]):
                continue
            first = _find_statement(kinds, position)
            if first is None or _is_about_something_else(kinds, first, position):
                continue
            around = sentences[max(0, position - _CONTEXT) : position + 2]
            found[address.lower()] = NamedSuccessor(
                address=address,
                name=find_name(address, sentence[: match.start()], around),
                words=" ".join(" ".join(around).split())[:_MAX_WORDS],
            )
    return tuple(found.values())[:_MAX_PROPOSALS]


def _split_sentences(text: str) -> list[str]:
    """Split ``text`` up to the line above the writer's name; a wrapped line does not end a sentence."""
    sentences: list[str] = []
    for paragraph in re.split(r"\n\s*\n", unicodedata.normalize("NFC", text)):
        lines = paragraph.strip().split("\n")
        kept: list[str] = []
        for line in lines:
            if PhraseKind.closing in find_kinds(normalise(line)) and (sentences or kept):
                return [*sentences, *_split_paragraph(kept)]
            kept.append(line)
        sentences += _split_paragraph(kept)
    return sentences


def _split_paragraph(lines: Sequence[str]) -> list[str]:
    paragraph = " ".join(line.strip() for line in lines)
    return [match[0].strip() for match in _SENTENCE.finditer(paragraph) if match[0].strip()]


def _has_left(kinds: Collection[PhraseKind]) -> bool:
    """Whether a message that says ``kinds`` speaks of somebody who is gone, not away."""
    if PhraseKind.departure in kinds:
        # "I have left for my holidays and will be back on Monday."
        return PhraseKind.successor in kinds or not _TEMPORARY.issubset(kinds)
    return PhraseKind.successor in kinds and PhraseKind.absence not in kinds


def _find_statement(kinds: Sequence[Collection[PhraseKind]], position: int) -> int | None:
    """Return the nearest sentence, up to the one at ``position``, that says that somebody left or follows.

    The sentence after the address may say so, too: then it is the one at ``position``.
    """
    for back in range(position, max(-1, position - _REACH - 1), -1):
        if _LEAVING & set(kinds[back]):
            return back
    following = kinds[position + 1 : position + 2]
    return position if following and PhraseKind.successor in following[0] else None


def _is_about_something_else(kinds: Sequence[Collection[PhraseKind]], statement: int, position: int) -> bool:
    """Whether the address at ``position`` is for urgent cases, or the same person's new one."""
    said = set(kinds[position])
    if PhraseKind.new_address in said:
        return True
    return PhraseKind.alternate in said and not _LEAVING & said and bool(_TEMPORARY & set(kinds[statement]))
