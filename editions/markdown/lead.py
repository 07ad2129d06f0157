"""The lead of a story: how its text begins, shortened at the end of a sentence."""

import re
from functools import lru_cache
from html import unescape

MAX_LEAD_WIDTH = 130
"""The most that a lead is long, in columns of a fixed-width font: a Chinese character counts as two. On a
phone this is three or four lines."""

_MIN_LEAD_WIDTH = 60
_PARAGRAPH = re.compile(r"<(p|li|blockquote)(?:\s[^>]*)?>(.*?)</\1>", re.DOTALL)
# A reference to a note says nothing without the note.
_NOTE_REFERENCE = re.compile(r"<sup\b[^>]*>.*?</sup>", re.DOTALL)
_TAG = re.compile(r"<[^>]+>")
# A full stop ends a sentence if something that begins one follows, and if it does not end an abbreviation
# such as "Dr." or "U.N.": before it are two small letters, a digit or a closing mark.
_SENTENCE_END = re.compile(
    r"(?:(?:(?<=[^\W\d_]{2})|(?<=[\d)\]”’\"»%]))\.|[!?…؟۔])[”’\"»)]*(?=\s+[^\sa-z])|[。！？][”’」』）]*"
)
_ABBREVIATION = re.compile(
    r"\b(?:Dr|Mr|Mrs|Ms|Prof|St|No|Nos|Art|cf|vs|approx|Mme|Mlle|Inc|Ltd|Jr|Sr|Col|Gen|Vol|Fig)\.$"
)
_WIDE = re.compile("[\u1100-\u11ff\u2e80-\ua4cf\uac00-\ud7af\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60]")


# A story is asked for its lead each time its edition is read, and changes seldom.
@lru_cache(maxsize=1000)
def find_lead(html: str) -> str:
    """The first paragraph of ``html``, or its first item or quotation, as plain text: whole sentences of at
    most ``MAX_LEAD_WIDTH`` columns, or if the first is longer, its beginning with an ellipsis. Empty if there
    is none."""
    paragraphs = (_plain(found[2]) for found in _PARAGRAPH.finditer(html))
    return shorten_at_sentence(next((text for text in paragraphs if text), ""))


def shorten_at_sentence(text: str, most: int = MAX_LEAD_WIDTH) -> str:
    """``text`` if it is at most ``most`` columns wide, else as many whole sentences as fit; if not even one
    of a useful length does, as many words, followed by an ellipsis."""
    if _width(text) <= most:
        return text
    best = ""
    for end in _SENTENCE_END.finditer(text):
        sentence = text[: end.end()]
        if _width(sentence) > most:
            break
        if not _ABBREVIATION.search(sentence):
            best = sentence
    return best if _width(best) >= min(_MIN_LEAD_WIDTH, most) else _cut_at_word(text, most)


def _cut_at_word(text: str, most: int) -> str:
    # Of most texts, every character is one column wide.
    cut = text[: most - 1]
    while _width(cut) >= most:
        cut = cut[:-1]
    space = cut.rfind(" ")
    # Chinese and Japanese are written without spaces: one that is far back divides something else.
    if space > len(cut) * 0.6:
        cut = cut[:space]
    return cut.rstrip(" ,;:–—-、，；：（(“‘「") + "…"


def _plain(html: str) -> str:
    return " ".join(unescape(_TAG.sub("", _NOTE_REFERENCE.sub("", html.replace("<br />", " ")))).split())


def _width(text: str) -> int:
    return len(text) + len(_WIDE.findall(text))
