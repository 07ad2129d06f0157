"""The language of a page or of a letter of ours: its sentences by gettext, its days and countries by CLDR.

English is what the templates say. The other languages are catalogues under ``templates/locale``, compiled,
and a test holds them to be whole. (What the newsletter itself says is in :mod:`mailer.rendering.themes.phrases`.)
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache, lru_cache
from gettext import GNUTranslations, NullTranslations
from types import MappingProxyType

from babel import Locale, UnknownLocaleError
from babel.core import get_global
from babel.dates import format_date
from markupsafe import Markup, escape

from subscribers.country import country_name
from templates import ROOT

LOCALE_FOLDER = ROOT / "locale"
DOMAIN = "pages"
SOURCE_LANGUAGE = "en"
LANGUAGES = ("en", "zh-Hans", "ja", "ko", "mn", "fr")
"""The languages of the pages, as BCP 47 tags; English is the source and has no catalogue."""

NATIVE_NAMES: Mapping[str, str] = MappingProxyType(
    {"en": "English", "zh-Hans": "中文", "ja": "日本語", "ko": "한국어", "mn": "Монгол", "fr": "Français"}
)
"""What each of them calls itself, as short as it may be."""


def gettext_noop(message: str) -> str:
    """``message`` as it is, marked for the catalogues; whoever shows it translates it then."""
    return message


@dataclass(frozen=True, kw_only=True)
class Translator:
    """One language: ``tag`` for ``lang`` attributes, and how things are said in it."""

    tag: str
    translations: NullTranslations = field(repr=False)

    @property
    def sentence_space(self) -> str:
        """What stands between two sentences: nothing in Chinese and Japanese, whose full stop is wide."""
        return "" if self.tag.partition("-")[0] in {"zh", "ja"} else " "

    def translate(self, message: str, **values: object) -> str:
        """``message``, which is English, in this language; ``%(name)s`` in it are filled with ``values``."""
        said = self.translations.gettext(message)
        return said % values if values else said

    def translate_html(self, message: str, **values: object) -> Markup:
        """As :meth:`say`, for HTML: what is no markup is escaped."""
        said = escape(self.translations.gettext(message))
        return Markup(said % {name: escape(value) for name, value in values.items()})  # noqa: S704 - escaped

    def format_day(self, day: date) -> str:
        """``day`` as a letter writes it: 5 March 2027, 2027年3月5日."""
        if self.tag == SOURCE_LANGUAGE:
            return f"{day.day} {day:%B %Y}"
        return format_date(day, "long", locale=self.tag.replace("-", "_"))

    def name_country(self, code: str, names: Mapping[str, Mapping[str, str]]) -> str:
        """A country; ``names`` are the organisation's own by language, which come before CLDR's."""
        own = names.get(self.tag) or names.get(self.tag.partition("-")[0]) or {}
        return country_name(code, self.tag, own)


@cache
def load_translator(tag: str) -> Translator:
    """The language of ``tag``, one of ``LANGUAGES``.

    Raises:
        FileNotFoundError: it has no catalogue.
    """
    if tag == SOURCE_LANGUAGE:
        return Translator(tag=tag, translations=NullTranslations())
    path = LOCALE_FOLDER / tag.replace("-", "_") / "LC_MESSAGES" / f"{DOMAIN}.mo"
    with path.open("rb") as file:
        return Translator(tag=tag, translations=GNUTranslations(file))


def match_language(wanted: Iterable[str], available: Iterable[str] = LANGUAGES) -> str | None:
    """The first language of ``wanted`` (BCP 47 tags) that we speak, as we tag it; None if it is none.

    Matched by language and likely script: ``zh-CN`` is written in Hans and taken for ``zh-Hans``, ``zh-TW``
    is written in Hant, which a reader of Hans cannot be given in its place.
    """
    ours = {_likely_script(tag): tag for tag in available}
    return next((ours[script] for tag in wanted if (script := _likely_script(tag)) in ours), None)


# Bounded: a stranger's browser says what it likes.
@lru_cache(512)
def _likely_script(tag: str) -> tuple[str, str]:
    """The language of a tag and the script it is most likely written in; two empty words for no tag."""
    try:
        locale = Locale.parse(tag.strip().replace("_", "-"), sep="-", resolve_likely_subtags=True)
    except (UnknownLocaleError, ValueError, TypeError):
        return "", ""
    if locale.script:
        return locale.language, locale.script
    likely = get_global("likely_subtags").get(locale.language, locale.language)
    parts = likely.split("_")
    return locale.language, parts[1] if len(parts) > 1 else ""
