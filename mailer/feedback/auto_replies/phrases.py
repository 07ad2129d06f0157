"""The words of automatic replies: tables of patterns, a file per language, each pattern with its sample."""

import re
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from itertools import groupby
from types import MappingProxyType

# What a program says stands at its beginning; the rest is a signature or the history of the conversation.
_MAX_LENGTH = 4000
_SHORT = 100
_SAME = str.maketrans(
    {
        **dict.fromkeys("\u2019\u2018\u02bc`´", "'"),
        **dict.fromkeys("\u201c\u201d\u201e«»「」『』", '"'),
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015", "-"),
        **dict.fromkeys("أإآٱ", "ا"),
        "ى": "ي",
        "ة": "ه",
        "ё": "е",
        # Marks without a sound of their own: tatweel, vowel signs, invisible characters.
        **dict.fromkeys(
            "\u0640\u064b\u064c\u064d\u064e\u064f\u0650\u0651\u0652\u200b\u200e\u200f\ufeff\u00ad"
        ),
    }
)
_SPACE = re.compile(r"\s+")
# A full stop that ends no sentence: in an address or a number, after a day of the month or a title.
_INNER_STOP = re.compile(r"(?<=[\w])\.(?=\w)|(?<=\d)\.(?= [^\W\d])|(?<=\b[^\W\d])\.(?= ?\w)")
_TITLE_STOP = re.compile(r"\b(mr|mrs|ms|dr|prof|mme|mlle|sr|sra|hr|fr|st|no|nr|inkl|incl|bzw|ca|approx)\.")
# A line break within a sentence of Chinese or Japanese stands for nothing.
_SPACE_IN_CJK = re.compile(r"(?<=[\u3000-\u30ff\u4e00-\u9fff。、])\s+(?=[\u3000-\u30ff\u4e00-\u9fff。、])")


class PhraseKind(StrEnum):
    """What a phrase of an automatic reply says."""

    subject_prefix = "subject_prefix"
    """What a program writes before the subject that it answers."""

    subject_words = "subject_words"
    """A subject that speaks of an absence or a receipt; people write such subjects, too."""

    courtesy = "courtesy"
    """A greeting, or thanks for the message: what may stand before the point."""

    automation = "automation"
    """It is an automatic message."""

    absence = "absence"
    """Somebody is away."""

    return_ = "return"
    """Until when they are away."""

    access = "access"
    """Mail is not read, or is answered after the return."""

    alternate = "alternate"
    """Whom to ask in urgent cases, or during the absence."""

    departure = "departure"
    """Somebody has left for good, or the mailbox is not used any more."""

    successor = "successor"
    """Who follows, or whom to write to from now on."""

    new_address = "new_address"
    """The same person has another address."""

    receipt = "receipt"
    """The message has been received."""

    ticket = "ticket"
    """The number under which it is dealt with."""

    answer_time = "answer_time"
    """When it will be answered."""

    no_reply = "no_reply"
    """Not to be replied to."""

    challenge = "challenge"
    """The sender must prove to be a person before the message is delivered."""

    robot = "robot"
    """A mailing list answers a post or a command."""

    read_receipt = "read_receipt"
    """The message was displayed."""

    reply_line = "reply_line"
    """The line of a ticket system above which an answer is written."""

    closing = "closing"
    """The line above the writer's name."""

    device = "device"
    """The line that a telephone or a mail program adds to what a person writes."""


class Script(StrEnum):
    """The letters that a language is written in, so that a text meets only patterns that can match it."""

    latin = "latin"
    """English, French, German, Spanish and so on."""

    cyrillic = "cyrillic"
    """Russian and Mongolian."""

    han = "han"
    """Chinese."""

    kana = "kana"
    """Japanese."""

    hangul = "hangul"
    """Korean."""

    arabic = "arabic"
    """Arabic."""


@dataclass(frozen=True)
class ReplyPhrase:
    """One entry of the tables: its language, what it says, its pattern, and a sentence that it matches."""

    language: str
    script: Script
    kind: PhraseKind
    pattern: str
    sample: str


_LETTERS: Mapping[Script, re.Pattern[str]] = MappingProxyType(
    {
        Script.latin: re.compile("[a-z]"),
        Script.cyrillic: re.compile("[\u0400-\u04ff]"),
        Script.han: re.compile("[\u4e00-\u9fff]"),
        # Japanese has some in every sentence, but not in every subject.
        Script.kana: re.compile("[\u3040-\u30ff]"),
        Script.hangul: re.compile("[\uac00-\ud7a3]"),
        Script.arabic: re.compile("[\u0620-\u064a]"),
    }
)


def normalise(text: str) -> str:
    """Return the beginning of ``text`` in the form that the patterns are written in: lower case, full-width
    characters as ASCII, one kind of quotation mark and dash, one space between words, and a full stop only
    where a sentence ends.
    """
    text = normalise_letters(text[: 2 * _MAX_LENGTH])
    text = _SPACE.sub(" ", _SPACE_IN_CJK.sub("", text)).strip()[:_MAX_LENGTH]
    return _TITLE_STOP.sub(r"\1", _INNER_STOP.sub("\u00b7", text))


def normalise_letters(text: str) -> str:
    """Return ``text`` with its characters as the patterns have them, and its spaces and lines as they are."""
    if text.isascii():
        return text.lower()
    # The translation comes first and last: NFKC takes some marks apart, and makes some of the others.
    return unicodedata.normalize("NFKC", text.translate(_SAME)).lower().translate(_SAME)


@cache
def load_phrases() -> tuple[ReplyPhrase, ...]:
    found: list[ReplyPhrase] = []
    folder = files("mailer.feedback.auto_replies") / "words"
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        if not file.name.endswith(".toml"):
            continue
        table = tomllib.loads(file.read_text(encoding="utf-8"))
        script = Script(table.pop("script"))
        language = file.name.removesuffix(".toml")
        for kind, entries in table.items():
            found += [
                ReplyPhrase(language, script, PhraseKind(kind), entry["pattern"], entry["sample"])
                for entry in entries
            ]
    return tuple(found)


def find_phrases(text: str) -> Iterator[tuple[PhraseKind, int]]:
    """Yield what the phrases in ``text``, which is normalised, say but for courtesies, and where each stands;
    none overlaps its kind."""
    for script in _find_scripts(text):
        for kind, pattern in _compile(script).items():
            if kind is PhraseKind.courtesy:
                continue
            for match in pattern.finditer(text):
                yield kind, match.start()


def find_kinds(text: str) -> frozenset[PhraseKind]:
    """Return what the phrases in ``text``, which is normalised, say, but for courtesies."""
    return frozenset(
        kind
        for script in _find_scripts(text)
        for kind, pattern in _compile(script).items()
        if kind is not PhraseKind.courtesy and pattern.search(text)
    )


def asks_for_proof(text: str) -> bool:
    """Return whether ``text``, as it came, asks the sender to prove to be a person."""
    words = normalise(text)
    patterns = (_compile(script).get(PhraseKind.challenge) for script in _find_scripts(words))
    return any(pattern.search(words) for pattern in patterns if pattern)


def has_prefix(subject: str) -> bool:
    """Return whether ``subject``, which is normalised, begins as that of an automatic reply."""
    return any(_compile_prefixes(script).match(subject) for script in _find_scripts(subject))


def skip_courtesies(text: str) -> int:
    """Return where the point of ``text``, which is normalised, begins: after greetings and thanks."""
    position = _skip_marks(text, 0)
    patterns = [
        pattern
        for script in _find_scripts(text)
        for kind, pattern in _compile(script).items()
        if kind in {PhraseKind.courtesy, PhraseKind.reply_line}
    ]
    for _ in range(8):
        ends = [found.end() for pattern in patterns if (found := pattern.match(text, position))]
        if not ends:
            break
        position = _skip_marks(text, max(ends))
    return position


def _skip_marks(text: str, position: int) -> int:
    while position < len(text) and not (text[position].isalnum() or text[position] in "\"'([{<"):
        position += 1
    return position


def _find_scripts(text: str) -> list[Script]:
    scripts = [script for script, letters in _LETTERS.items() if letters.search(text)]
    if Script.han in scripts and Script.kana not in scripts and len(text) < _SHORT:
        scripts.append(Script.kana)
    return scripts


@cache
def _compile(script: Script) -> Mapping[PhraseKind, re.Pattern[str]]:
    """Return one pattern for each kind of phrase; that of a prefix is left to :func:`has_prefix`."""
    ordered = sorted((one for one in load_phrases() if one.script is script), key=lambda one: one.kind)
    return {
        kind: _join(phrase.pattern for phrase in phrases)
        for kind, phrases in groupby(ordered, key=lambda phrase: phrase.kind)
        if kind is not PhraseKind.subject_prefix
    }


@cache
def _compile_prefixes(script: Script) -> re.Pattern[str]:
    prefixes = [
        phrase.pattern
        for phrase in load_phrases()
        if phrase.script is script and phrase.kind is PhraseKind.subject_prefix
    ]
    one = _join(prefixes).pattern
    return re.compile(rf"(?:[\[(【<] ?(?:{one})[^\])】>]{{0,30}}[\])】>]|(?:{one}) ?(?::|$|[-|] ))")


def _join(patterns: Iterator[str] | list[str]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{normalise_letters(pattern)})" for pattern in patterns))
