"""Languages of web pages and of transactional mails: sentences through gettext, dates and countries through
CLDR.

The templates are written in English. Catalogues for the other languages are in ``templates/locale``,
compiled, and a test ensures that they are complete. (For the fixed phrases of the newsletter itself see
:mod:`mailer.rendering.themes.template_files`.)
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import cache, lru_cache
from gettext import GNUTranslations, NullTranslations
from pathlib import Path
from types import MappingProxyType

from babel import Locale, UnknownLocaleError
from babel.core import get_global
from babel.dates import format_date
from markupsafe import Markup, escape

from locales.countries import country_name
from locales.phrase import Phrase
from locales.phrase import gettext_noop as gettext_noop
from locales.phrase_book import PhraseBook
from templates import ROOT

LOCALE_FOLDER = ROOT / "locale"
DOMAIN = "pages"
SOURCE_LANGUAGE = "en"
LANGUAGES = ("en", "zh-Hans", "ja", "ko", "mn", "fr")
"""The languages of the pages, as BCP 47 tags; English is the source and has no catalogue."""

NATIVE_NAMES: Mapping[str, str] = MappingProxyType(
    {"en": "English", "zh-Hans": "中文", "ja": "日本語", "ko": "한국어", "mn": "Монгол", "fr": "Français"}
)
"""The short name of each language in that language."""


@dataclass(frozen=True, kw_only=True)
class Translator:
    """One language: ``tag`` for ``lang`` attributes, and methods to express things in it."""

    tag: str
    translations: NullTranslations = field(repr=False)

    @property
    def sentence_space(self) -> str:
        """The separator between two sentences: empty in Chinese and Japanese, which have a wide full stop."""
        return "" if self.tag.partition("-")[0] in {"zh", "ja"} else " "

    def translate(self, message: str, **values: object) -> str:
        """The English ``message`` in this language; ``%(name)s`` in it are filled in from ``values``."""
        said = self.translations.gettext(message)
        return said % values if values else said

    def say(self, words: str) -> str:
        """``words`` in this language if they are a phrase, and as they are otherwise."""
        return words.render(self.translations.gettext) if isinstance(words, Phrase) else words

    def _say_value(self, text: str) -> str:
        # One word may be a name that only looks like a message.
        return self.say_again(text) if " " in text else text

    def find_words(self, text: str) -> str | None:
        """``text``, English that the program wrote, in this language, line by line; None if a line of it
        is in no catalogue: a server's words, or a name. Of a phrase, the values are looked for in this way.
        """
        if self.tag == SOURCE_LANGUAGE:
            return text
        if isinstance(text, Phrase):
            return text.render(self.translations.gettext, self._say_value)
        book = _load_phrase_book(self.tag)
        said = []
        for line in text.split("\n"):
            found = book.find(line.strip()) if line.strip() else Phrase("")
            if found is None:
                return None
            said.append(line[: len(line) - len(line.lstrip())] + self.say(found))
        return "\n".join(said)

    def say_again(self, text: str) -> str:
        """``text``, English that the program has written, in this language, as far as that is known."""
        if isinstance(text, Phrase):
            return self.find_words(text) or text
        return "\n".join(
            line if (said := self.find_words(line)) is None else said for line in text.split("\n")
        )

    def translate_html(self, message: str, **values: object) -> Markup:
        """Like :meth:`translate`, for HTML: everything that is not markup is escaped."""
        said = escape(self.translations.gettext(message))
        return Markup(said % {name: escape(value) for name, value in values.items()})  # noqa: S704 - escaped

    def format_day(self, day: date) -> str:
        """``day`` in the long form of the language: 5 March 2027, 2027年3月5日."""
        if self.tag == SOURCE_LANGUAGE:
            return f"{day.day} {day:%B %Y}"
        return format_date(day, "long", locale=self.tag.replace("-", "_"))

    def format_moment(self, moment: datetime) -> str:
        """An aware ``moment`` in UTC: 5 March 2027, 09:30 UTC."""
        moment = moment.astimezone(UTC)
        return f"{self.format_day(moment.date())}, {moment:%H:%M} UTC"

    def name_country(self, code: str, names: Mapping[str, Mapping[str, str]]) -> str:
        """The name of a country; ``names`` are the organisation's own by language, used before CLDR's."""
        own = names.get(self.tag) or names.get(self.tag.partition("-")[0]) or {}
        return country_name(code, self.tag, own)


@cache
def load_translator(tag: str) -> Translator:
    """The translator for ``tag``, one of ``LANGUAGES``. Raise FileNotFoundError if it has no catalogue."""
    if tag == SOURCE_LANGUAGE:
        return Translator(tag=tag, translations=NullTranslations())
    with _find_catalogue(tag).open("rb") as file:
        return Translator(tag=tag, translations=GNUTranslations(file))


@cache
def _load_phrase_book(tag: str) -> PhraseBook:
    """The messages that the catalogue of ``tag`` has, but for those that differ by a number."""
    # Imported late: it takes a while, and English pages do not need it.
    from babel.messages.mofile import read_mo

    with _find_catalogue(tag).open("rb") as file:
        return PhraseBook(one.id for one in read_mo(file) if one.id and isinstance(one.id, str))


def _find_catalogue(tag: str) -> Path:
    return LOCALE_FOLDER / tag.replace("-", "_") / "LC_MESSAGES" / f"{DOMAIN}.mo"


def match_language(wanted: Iterable[str], available: Iterable[str] = LANGUAGES) -> str | None:
    """The first language of ``wanted`` (BCP 47 tags) that is available, as we tag it; None if there is none.

    Matched by language and likely script: ``zh-CN`` is written in Hans and matches ``zh-Hans``; ``zh-TW`` is
    written in Hant, which is not the same for a reader.
    """
    ours = {_likely_script(tag): tag for tag in available}
    return next((ours[script] for tag in wanted if (script := _likely_script(tag)) in ours), None)


# Bounded, because browsers can send anything.
@lru_cache(512)
def _likely_script(tag: str) -> tuple[str, str]:
    """The language of a tag and its likely script; two empty strings if it is not a valid tag."""
    try:
        locale = Locale.parse(tag.strip().replace("_", "-"), sep="-", resolve_likely_subtags=True)
    except (UnknownLocaleError, ValueError, TypeError):
        return "", ""
    if locale.script:
        return locale.language, locale.script
    likely = get_global("likely_subtags").get(locale.language, locale.language)
    parts = likely.split("_")
    return locale.language, parts[1] if len(parts) > 1 else ""
