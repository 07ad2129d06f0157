"""Detecting the language of a document."""

import re

from locales.languages import canonical_language

_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
_KANA = re.compile(r"[\u3041-\u30fa]")
_HANGUL = re.compile(r"[\uac00-\ud7a3]")
_CYRILLIC = re.compile(r"[\u0400-\u04ff]")
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f]")
# A Chinese character carries about as much as three letters.
_LETTERS_PER_CJK_CHARACTER = 3
_CYRILLIC_LANGUAGES = frozenset({"mn", "ru", "kk", "ky", "uk", "bg", "sr", "be", "mk", "tg", "tt"})
_DEFAULT_LANGUAGE = "en"


def detect_language(text: str, *, language: str = "", east_asian_language: str = "") -> str:
    """The language of ``text``: by its script where that is enough, else ``language``, as the document says.

    What it says alone is not reliable: it is often the language the program was installed in.
    """
    latin, cyrillic = len(_LATIN.findall(text)), len(_CYRILLIC.findall(text))
    han, kana, hangul = (len(script.findall(text)) for script in (_HAN, _KANA, _HANGUL))
    if (han + kana + hangul) * _LETTERS_PER_CJK_CHARACTER > max(latin, cyrillic):
        return "ja" if kana > han / 20 else "ko" if hangul > han else _chinese_variant(east_asian_language)
    own = _base_language(language)
    if cyrillic > latin:
        return own if own in _CYRILLIC_LANGUAGES else "mn"
    return own or _DEFAULT_LANGUAGE


def _chinese_variant(setting: str) -> str:
    return "zh-Hant" if setting in {"zh-TW", "zh-HK", "zh-MO"} or "Hant" in setting else "zh-Hans"


def _base_language(setting: str) -> str:
    """``en-GB`` as ``en``: readers choose a language, not a regional variant."""
    return canonical_language(setting.partition("-")[0]) or ""
