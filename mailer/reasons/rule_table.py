"""The rules by which a server's words become a reason, read from ``rules/*.toml``.

A rule gives a reason and conditions that must all hold:

``words``
    phrases (see :class:`RulePhrase`), one of which the tidied words contain;
``status``, ``code``, ``command``, ``host``
    enhanced codes (``5.7.*``), reply codes, SMTP commands, ends of host names: one of each must be there.

``unconfirmed = true`` marks words that some servers also use for people who exist. ``fault`` says whose fault
it is, where that is not the usual one of the reason. ``samples`` are what such a server writes; a test runs
each.
"""

import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.resources import files
from importlib.resources.abc import Traversable
from operator import itemgetter
from typing import Any

from mailer.reasons.reason import Fault, Reason

# A few words, not over the end of a sentence, and not so far that two remarks become one.
_GAP = r" (?:(?:(?![.!?;] ).){0,60}?[^a-z0-9])?"
# Chinese and Japanese have no spaces between words.
_GAP_WITHOUT_SPACES = r"(?:(?![.!?;] |。).){0,60}?"
PHRASE_PARTS = re.compile(r"\(([^()]*)\)(\*?)|( \* )|((?:(?! \* )[^()])+)")
_WORD = re.compile("[a-z0-9]+")


def list_words(text: str) -> list[str]:
    """Return the words of tidied text by which phrases are found: runs of ASCII letters and digits."""
    return _WORD.findall(text)


class RulePhrase:
    """A phrase of a rule: words, ``(a|b)`` for either, ``(a |b )*`` for any number of them, ``*`` for a gap.

    It is in small letters, and its alternatives are whole words: "(mail |)box", but not "mail(box|er)".
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._pattern_parts: list[str] = []
        self._required: list[list[str]] = []
        for alternatives, repeated, gap, plain in PHRASE_PARTS.findall(text):
            if gap:
                self._pattern_parts.append(_GAP if text.isascii() else _GAP_WITHOUT_SPACES)
                continue
            options = [plain] if plain else alternatives.split("|")
            group = "|".join(re.escape(one) for one in options)
            self._pattern_parts.append(f"(?:{group})" + ("{0,6}" if repeated else ""))
            if not repeated and all(_WORD.search(one) for one in options):
                self._required.append(options)
        alone = (options[0] for options in self._required if len(options) == 1)
        # Tidied words that contain the phrase have all of these; most that share one word with it do not.
        self.words = frozenset(word for option in alone for word in _WORD.findall(option))

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        # Chinese and Japanese have no spaces at which a word could begin. In ASCII, the character before it
        # is matched, not looked back at, because Python then skips to such characters.
        pattern = "".join(self._pattern_parts)
        return re.compile(rf"[^a-z0-9]{pattern}(?![a-z0-9])" if self.text.isascii() else pattern)

    def choose_key_words(self, frequency: Mapping[str, int]) -> set[str]:
        """Return words of which tidied words must have one, if they contain the phrase: the rarest such set.

        Empty for a phrase that is not written in ASCII, which has to be looked for in every such text.
        """
        if not self.text.isascii():
            return set()
        sets = [
            {min(_WORD.findall(option), key=lambda word: (frequency[word], word)) for option in options}
            for options in self._required
        ]
        return min(sets, key=lambda words: sum(frequency[word] for word in words))

    def list_required_words(self) -> set[str]:
        """Return every word that could be a key word."""
        return {word for options in self._required for option in options for word in _WORD.findall(option)}

    def is_in(self, words: str) -> bool:
        """Return whether tidied ``words``, with a space before them, contain the phrase."""
        return self._pattern.search(words) is not None


@dataclass(frozen=True, kw_only=True)
class RefusalEvidence:
    """What is known of one refusal: the tidied words, and the codes, the most telling first."""

    words: str
    statuses: tuple[str, ...] = ()
    code: str = ""
    command: str = ""
    hosts: str = ""


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A rule of a table. Empty conditions always hold."""

    reason: Reason
    family: str
    words: tuple[RulePhrase, ...] = ()
    status: tuple[str, ...] = ()
    code: tuple[str, ...] = ()
    command: tuple[str, ...] = ()
    host: tuple[str, ...] = ()
    unconfirmed: bool = False
    fault: Fault | None = None
    samples: tuple[dict[str, str], ...] = field(default=(), repr=False)

    def fits(self, evidence: RefusalEvidence) -> bool:
        """Return whether every condition but ``words`` holds."""
        return (
            (not self.code or evidence.code in self.code)
            and (not self.command or evidence.command in self.command)
            and (not self.host or any(_is_named(host, evidence.hosts) for host in self.host))
            and (not self.status or any(_fits_status(self.status, one) for one in evidence.statuses))
        )


def _fits_status(patterns: tuple[str, ...], status: str) -> bool:
    return any(status == one or (one.endswith("*") and status.startswith(one[:-1])) for one in patterns)


# The place of a rule in the table, and one of its phrases; None for a rule that has none.
_Candidate = tuple[int, RulePhrase | None]


def _is_named(domain: str, text: str) -> bool:
    """Return whether ``text`` names ``domain`` or a host below it: "mx1.example.org", not "myexample.org"."""
    return (
        domain in text and re.search(rf"(?<![a-z0-9-]){re.escape(domain)}(?!\.?[a-z0-9-])", text) is not None
    )


class RuleTable:
    """The rules in their order; the first one that matches decides.

    A rule is looked at only if the words contain a word of its own, so one of some hundred phrases costs
    nothing unless it is near.
    """

    def __init__(self, rules: Sequence[Rule]) -> None:
        self.rules = tuple(rules)
        self._by_word: dict[str, list[_Candidate]] = {}
        self._not_ascii: list[_Candidate] = []
        self._without_words: list[_Candidate] = [
            (number, None) for number, rule in enumerate(self.rules) if not rule.words
        ]
        phrases = [(number, phrase) for number, rule in enumerate(self.rules) for phrase in rule.words]
        frequency = Counter(word for _, phrase in phrases for word in phrase.list_required_words())
        for number, phrase in phrases:
            key_words = phrase.choose_key_words(frequency)
            for word in key_words:
                self._by_word.setdefault(word, []).append((number, phrase))
            if not key_words:
                self._not_ascii.append((number, phrase))

    def find_rule(self, evidence: RefusalEvidence) -> Rule | None:
        """Return the first rule that matches ``evidence``, or None."""
        candidates = list(self._without_words)
        words = set(list_words(evidence.words))
        for word in words:
            candidates += self._by_word.get(word, ())
        if not evidence.words.isascii():
            candidates += self._not_ascii
        candidates.sort(key=itemgetter(0))
        for number, phrase in candidates:
            if phrase is not None and not phrase.words <= words:
                continue
            rule = self.rules[number]
            if rule.fits(evidence) and (phrase is None or phrase.is_in(evidence.words)):
                return rule
        return None


@cache
def load_rules() -> RuleTable:
    """Read the tables: providers first, then words of other languages, common words, and codes."""
    folder = files("mailer.reasons") / "rules"
    paths = (
        *_list_tables(folder / "providers"),
        *_list_tables(folder / "languages"),
        folder / "common_words.toml",
        folder / "codes.toml",
    )
    return RuleTable([rule for path in paths for rule in _read_table(path)])


def _list_tables(folder: Traversable) -> list[Traversable]:
    return sorted(
        (path for path in folder.iterdir() if path.name.endswith(".toml")), key=lambda path: path.name
    )


def _read_table(path: Traversable) -> Iterator[Rule]:
    family = path.name.removesuffix(".toml")
    for row in tomllib.loads(path.read_text(encoding="utf-8"))["rule"]:
        yield _read_rule(family, row)


def _read_rule(family: str, row: dict[str, Any]) -> Rule:
    return Rule(
        reason=Reason(row["reason"]),
        family=family,
        words=tuple(RulePhrase(words) for words in row.get("words", ())),
        status=tuple(row.get("status", ())),
        code=tuple(row.get("code", ())),
        command=tuple(row.get("command", ())),
        host=tuple(row.get("host", ())),
        unconfirmed=row.get("unconfirmed", False),
        fault=Fault(row["fault"]) if "fault" in row else None,
        samples=tuple({"words": one} if isinstance(one, str) else one for one in row["samples"]),
    )
