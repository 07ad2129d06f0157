"""From an open document to clean chapters, before anything is written."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import NoReturn

from editions.checks.content import is_file_name
from editions.errors import DocumentError
from editions.imports.html.chapters import split_chapters
from editions.imports.html.cleaner import CleanChapter, clean_chapter, keep_picture_links
from editions.imports.html.inline_spans import split_double_at
from editions.imports.html.story_starts import StartRule, StoryStarts, used_levels
from editions.imports.html.tree import HEADINGS
from editions.imports.source_document import BEFORE_HEADING, OmissionLog, SourceDocument, SourceImage
from locales.languages import canonical_language
from locales.phrase import AND, Phrase, gettext_noop, join_phrases

# “Description automatically generated”, in Word's languages: a word for description and one for automatic.
_DESCRIPTION = (
    r"descri(ption|pción|pció|ção|zione|ere)|beschr(eibung|ijving)|beskriv(ning|else)|kuvaus|opis|popis|leírás"
    r"|açıklama|mô tả|deskripsi|kirjeldus|apraksts|aprašymas|описание|опис|описа|περιγραφή|الوصف|وصف|תיאור"
    r"|คำอธิบาย"
)
_AUTOMATIC = (
    r"autom[aá]t|автомат|αυτόματ|تلقائي|אוטומטי|otomatik|otomatis|tự động|อัตโนมัติ|samoczynnie|samodejno"
)
_GENERATED = re.compile(
    rf"({_DESCRIPTION}).{{0,40}}({_AUTOMATIC})|({_AUTOMATIC}).{{0,40}}({_DESCRIPTION})"
    r"|自动生成|自動產生|自動生成|自動的に生成|자동.{0,12}(생성|설명)"
    # “AI-generated content may be incorrect”, as Word has it since 2024.
    r"|\bAI[ -]?generated content|\bKI[ -]generierte|(généré|gener\w+|gegenereerde).{0,12}\b(l['’])?(IA|AI)\b"
    r"|\b(IA|AI)\b.{0,24}(incorrect|onjuist|incorrecto|incorreto|corretto)"
    r"|AI ?生成|AI ?產生|искусственным интеллектом|AI-gener",
    re.IGNORECASE,
)
# How Word begins a description of its own: “A picture containing …”.
_STOCK_BEGINNING = re.compile(
    r"(a |an )?(picture|image|close[- ]up of|photo) containing\b|ein bild, das\b.*\benthält"
    r"|une image contenant\b"
    r"|imagen que contiene\b|immagine che contiene\b|(uma )?imagem contendo\b|afbeelding met\b"
    r"|изображение выглядит как\b|图片包含|en bild som innehåller\b|et billede,? der indeholder\b"
    r"|et bilde som inneholder\b|obraz zawierający\b|obsah obrázku\b|kuva, joka sisältää\b"
    r"|画像.*が含まれている",
    re.IGNORECASE,
)
_PATH = re.compile(r"(file:|[a-z]:[\\/]|\\\\|/(users|home|tmp|var|volumes)/).*|https?://\S*", re.IGNORECASE)
# What programs call a picture they know nothing about: “Picture 3”, “Grafik 12”, “图片 1”.
_STOCK_NAME = re.compile(
    r"(picture|image|graphics?|photo|shape|screen ?shot|bild|grafik|imagen?|immagine|imagem|afbeelding"
    r"|рисунок|изображение|图片|圖片|図|그림|obraz|obrázek|kuva|billede|bilde|kép|resim|img)[\s_-]*\d{0,8}",
    re.IGNORECASE,
)
_SEARCH_RESULT = re.compile(
    r"(image|bild|résultat de recherche d.images?) (result )?(for|zu|pour)\b", re.IGNORECASE
)
_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
_KANA = re.compile(r"[\u3041-\u30fa]")
_HANGUL = re.compile(r"[\uac00-\ud7a3]")
_CYRILLIC = re.compile(r"[\u0400-\u04ff]")
_LATIN = re.compile(r"[A-Za-z\u00c0-\u024f]")
# A Chinese character carries about as much as three letters.
_LETTERS_PER_CJK_CHARACTER = 3
_CYRILLIC_LANGUAGES = frozenset({"mn", "ru", "kk", "ky", "uk", "bg", "sr", "be", "mk", "tg", "tt"})
_DEFAULT_LANGUAGE = "en"
_NO_HEADINGS = gettext_noop(
    "no heading of level %(level)s has text below it, and there are no other headings. Leave out "
    "--stories-at, and the import finds the titles by itself."
)
_OTHER_LEVELS = gettext_noop(
    "no heading of level %(level)s has text below it; there are %(used)s. Choose another level, or leave out "
    "--stories-at, and the import finds the titles by itself."
)
_OF_LEVEL = gettext_noop("%(number)s of level %(level)s")


def choose_alt(alt: str, caption: str) -> str:
    """Return ``alt`` if a person wrote it, and it is not the ``caption``; else nothing.

    >>> choose_alt("A dog on a beach. Description automatically generated", "")
    ''
    """
    text = alt.strip(" .\\n")
    useless = (
        is_file_name(text)
        or _PATH.fullmatch(text)
        or _STOCK_NAME.fullmatch(text)
        or _SEARCH_RESULT.match(text)
        or _STOCK_BEGINNING.match(text)
        or _GENERATED.search(text)
        or text.casefold() == caption.strip(" .").casefold()
    )
    return "" if useless else text


def detect_language(text: str, *, language: str = "", east_asian_language: str = "") -> str:
    """Return the language of ``text``: by its script where that is enough, else ``language``, as the document
    says, which is often the language the program was installed in."""
    latin, cyrillic = len(_LATIN.findall(text)), len(_CYRILLIC.findall(text))
    han, kana, hangul = (len(script.findall(text)) for script in (_HAN, _KANA, _HANGUL))
    if (han + kana + hangul) * _LETTERS_PER_CJK_CHARACTER > max(latin, cyrillic):
        return "ja" if kana > han / 20 else "ko" if hangul > han else _chinese_variant(east_asian_language)
    # Readers choose a language, not a regional variant.
    own = canonical_language(language.partition("-")[0]) or ""
    if cyrillic > latin:
        return own if own in _CYRILLIC_LANGUAGES else "mn"
    return own or _DEFAULT_LANGUAGE


def _chinese_variant(setting: str) -> str:
    return "zh-Hant" if setting in {"zh-TW", "zh-HK", "zh-MO"} or "Hant" in setting else "zh-Hans"


@dataclass(frozen=True, kw_only=True)
class DocumentContent:
    """The content of a document; ``preamble`` is before its first story, ``language`` is detected."""

    title: str
    subtitle: str
    language: str
    starts: StoryStarts
    preamble: CleanChapter
    stories: tuple[CleanChapter, ...]
    images: tuple[SourceImage, ...]


def read_content(source: SourceDocument, omissions: OmissionLog, *, level: int = 0) -> DocumentContent:
    """Read all of ``source``; what cannot be kept is logged in ``omissions``. Stories begin at headings of
    ``level``; where it is 0, where the document shows it. Raise DocumentError if it is empty, or none begins
    there."""
    keep_picture_links(source.body, [choose_alt(image.alt, "") for image in source.images])
    levels = used_levels([*source.body.iter(*HEADINGS)])
    document = split_chapters(source.body, omissions, level=level)
    if not document.chapters or (level and level not in levels):
        _reject(source, level, levels)
    title = document.title or split_double_at(" ".join(source.title.split()))
    if document.starts.rule is StartRule.document:
        document.chapters[0].title = title or title_from_name(source.name)
        omissions.settle_stories(whole=document.chapters[0].title)
    else:
        omissions.settle_stories()
    omissions.set_place(BEFORE_HEADING)
    preamble = clean_chapter(document.preamble, document.notes, omissions)
    stories = tuple(clean_chapter(chapter, document.notes, omissions) for chapter in document.chapters)
    text = " ".join([preamble.plain_text(), *(f"{story.title} {story.plain_text()}" for story in stories)])
    return DocumentContent(
        title=title,
        subtitle=document.subtitle,
        language=detect_language(
            text, language=source.language, east_asian_language=source.east_asian_language
        ),
        starts=document.starts,
        preamble=preamble,
        stories=stories,
        images=source.images,
    )


def title_from_name(name: str) -> str:
    """Return a title from the name of a file, which ends in a suffix."""
    return split_double_at(" ".join(PurePath(name).stem.replace("_", " ").split()))


def _reject(source: SourceDocument, level: int, levels: Mapping[int, int]) -> NoReturn:
    if not level:
        raise DocumentError(
            source.name,
            "no-stories",
            gettext_noop(
                "there is no text in it, and no picture. Check that this is the right file, and "
                "save it again."
            ),
        )
    if not levels:
        raise DocumentError(source.name, "no-stories", _NO_HEADINGS, level=level)
    counts = [Phrase(_OF_LEVEL, number=count, level=each) for each, count in sorted(levels.items())]
    used = join_phrases(counts, AND)
    raise DocumentError(source.name, "no-stories", _OTHER_LEVELS, level=level, used=used)
