"""Finds who followed a person, and their name, in an automatic reply that says that they have left.

Somebody who is asked to help in urgent cases, while the person is away, is no successor; nor is a help desk,
or the same person at another address. What is found is only proposed, beside the words that say so.

Names have no pattern of their own, so a name that agrees with its address counts most: "Jonas Holt" with
jonas.holt@… or j.holt@…. Otherwise it is what stands where a name stands: directly before the address.
"""

import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from mailer.feedback.auto_replies.phrases import PhraseKind, find_kinds, normalise

_MAX_NAME = 120
_MAX_DISTANCE = 300
_PARTICLES = r"(?:van|von|der|den|de|da|di|du|la|le|el|al|bin|ibn|dos|das|ten|ter|zu|af|av)"
_UPPER = "".join(chr(code) for code in (*range(0x41, 0x250), *range(0x400, 0x530)) if chr(code).isupper())
_CAPITAL = rf"[{_UPPER}][^\W\d_]*(?:['\u2019-][^\W\d_]+)*"
_WORD = rf"(?:[{_UPPER}]\.|{_CAPITAL})"
_LATIN_NAME = re.compile(rf"{_WORD}(?:\s+(?:{_PARTICLES}\s+)*{_WORD}){{0,4}}")
_CYRILLIC = str.maketrans(
    dict(zip("абвгдезийклмнопрстуфыэөү", "abvgdezijklmnoprstufyeou", strict=True))
    | {"ж": "zh", "х": "kh", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "shch", "ю": "yu", "я": "ya", "ё": "e"}
    | {"ъ": "", "ь": ""}
)
_HAN = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
_HANGUL = re.compile(r"[\uac00-\ud7a3]")
_ARABIC = re.compile(r"[\u0600-\u06ff]")
# Between a name and its address: brackets, "at", "by mail", a colon, quotation marks.
_BEFORE_ADDRESS = re.compile(
    r"(?:[\s(<\[:,;\"'\u201c\u201d\u201e\uff08\uff1a\uff0c\u3001\u060c-]|mailto|\b(?:at|under|via|by|on|e-?mail|mail|address|unter|per|"
    r"à|a|en|al|l'adresse|adresse|courriel|correo|dirección|по|адресу|почте|имэйл|хаяг|邮箱|电邮|郵箱|信箱|電郵|"
    r"メール|アドレス|이메일|메일|على|عبر|البريد|الإلكتروني)\b|邮箱|郵箱|信箱|为|為|是)+$",
    re.IGNORECASE,
)
_TITLES = re.compile(
    r"^(?:(?:mr|mrs|ms|miss|mx|dr|prof|professor|herrn?|frau|monsieur|madame|mme|mlle|m|señor|señora|sr|sra|srta|don|"
    r"doña|г-н|г-жа|господин|госпожа|sig|sig\.ra|dott|sir|colleague|successor|nachfolger(?:in)?|kolleg(?:e|en|in)|"
    r"please|contact|contactez|bitte|write|the|my|your|our|is|veuillez|escriba)\.?\s+)+",
    re.IGNORECASE,
)
_HAN_NAME = re.compile(
    r"(?:联系|联络|聯絡|聯繫|由|给|給|向|与|與|接替人|继任者|繼任者|新联系人|负责人|同事|后任|後任(?:は|の)|担当(?:の|は)|今後は|是|为|為|:|\uff1a|[,\uff0c\u3001\u3002]|^)\s*"
    r"([\u4e00-\u9fff]{1,4}(?:[\s\u3000][\u4e00-\u9fff]{1,3})?)"
    r"(?=(?:先生|女士|小姐|同志|老师|处长|主任|科长|様|さん|氏)?(?:です|まで|が|に|へ|宛|接替|接任|负责|承担|[\s(\uff08<,\uff0c:\uff1a\u3002.]|$))"
)
_HAN_TITLES = re.compile(r"(?:先生|女士|小姐|同志|老师|老師|处长|處長|主任|科长|科長|さん|様)$")
_HAN_NOT_NAMES = re.compile(
    r"^(?:我|您|你|她|他|请|請|今后|今後|以后|现在|邮箱|信箱|此|本|新|的|后|電|电|邮件|当|即|如|已)"
)
_KOREAN_NAME = re.compile(
    r"(?:후임(?:자)?(?:은|는|인)?|담당(?:자)?(?:은|는|인)?|^|[\s,.:(])\s*([\uac00-\ud7a3]{2,4})\s?"
    r"(?:과장|부장|팀장|대리|차장|주임|사무관|주무관|실장|국장|님|씨)?(?=에게|께|이|가|으로|입니다|[\s(<,:]|$)"
)
_KOREAN_NOT_NAMES = re.compile(
    r"^(?:앞으로|향후|저는|이메일|메일|주소|연락|문의|업무|퇴직|후임|담당|부탁|안녕)"
)
_ARABIC_TITLES = re.compile(r"^(?:السيدة?|الزميلة?|الأستاذة?|الدكتورة?)\s+")
_ARABIC_NAME = re.compile(
    r"(?:مع|إلى|الى|السيدة?|الزميلة?|الأستاذة?|الدكتورة?|خلفي|تولت|تولى)\s+"
    r"((?:[\u0621-\u064a]{2,}\s?){1,4}?)\s*(?=على|عبر|مهام|هو|[(:،<.]|البريد|$)"
)
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


def find_name(address: str, before: str, sentences: Sequence[str]) -> str:
    """Return the name of whom ``address`` belongs to; "" if none is found. ``before`` is what stands before
    it in its sentence, ``sentences`` the text around it.
    """
    tokens = {token for token in re.split(r"[\W\d_]+", _fold(address.partition("@")[0])) if token}
    for text in (before, *reversed(sentences)):
        for match in _LATIN_NAME.finditer(text):
            if name := _match_address(match[0], tokens):
                return name[:_MAX_NAME]
    for text in (before, *reversed(sentences)):
        if name := _find_by_place(text):
            return name[:_MAX_NAME]
    return ""


def _match_address(words: str, tokens: set[str]) -> str:
    """Return the part of ``words`` from the first to the last that agrees with a token of the address."""
    parts = words.split()
    agreeing = [at for at, word in enumerate(parts) if _agrees(word, tokens)]
    if not agreeing or not any(len(_fold(parts[at])) > 2 for at in agreeing):
        return ""
    first, last = agreeing[0], agreeing[-1]
    if len(agreeing) == 1:
        # The given name or the family name alone is in the address; its neighbour belongs to it.
        if last == len(parts) - 1:
            first = _go_back(parts, first)
        else:
            # Spanish names have two given and two family names: María José López Ruiz, mjlopez@….
            first, last = (first - 2 if first > 1 else first), last + 1
    return _TITLES.sub("", " ".join(parts[first : last + 1])).strip(" ,")


def _go_back(parts: Sequence[str], position: int) -> int:
    """Return where the given name before ``position`` stands: before particles such as "van der"."""
    while position > 0:
        position -= 1
        if parts[position][0].isupper():
            break
    return position


def _agrees(word: str, tokens: set[str]) -> bool:
    folded = _fold(word)
    if len(folded) < 2:
        return False
    # jholt and holtj agree with the family name. Names in Cyrillic letters have endings: Смирновой, smirnova.
    return any(
        token == folded
        or (len(folded) > 3 and folded in token)
        or (len(token) > 3 and folded.startswith(token[: max(4, len(token) - 1)]))
        for token in tokens
    )


def _find_by_place(text: str) -> str:
    """Return what stands where a name stands, before the end of ``text``."""
    stripped = _BEFORE_ADDRESS.sub("", text[-_MAX_DISTANCE:])
    if _ARABIC.search(text):
        names = [_ARABIC_TITLES.sub("", name).strip() for name in _ARABIC_NAME.findall(text)]
        return names[-1] if names else ""
    if _HANGUL.search(text):
        names = [name for name in _KOREAN_NAME.findall(text) if not _KOREAN_NOT_NAMES.match(name)]
        return names[-1] if names else ""
    if _HAN.search(text):
        named = (_HAN_TITLES.sub("", name) for name in _HAN_NAME.findall(text))
        names = [name for name in named if name and not _HAN_NOT_NAMES.match(name)]
        return names[-1] if names else ""
    matches = list(_LATIN_NAME.finditer(stripped))
    if not matches or matches[-1].end() < len(stripped):
        return ""
    name = _TITLES.sub("", matches[-1][0]).strip(" ,")
    return name if " " in name else ""


def _fold(text: str) -> str:
    """Return ``text`` without accents, in the letters that addresses are written in."""
    text = (
        text.lower()
        .translate(_CYRILLIC)
        .replace("ä", "ae")
        .replace("ö", "oe")
        .replace("ü", "ue")
        .replace("ß", "ss")
    )
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in decomposed if letter.isalnum() or letter in "._-").strip("._-")


@dataclass(frozen=True, kw_only=True)
class NamedSuccessor:
    """Somebody who may follow the person that left: ``name`` is "" if none was found beside the address, and
    ``words`` are the very sentences that name them, on one line."""

    address: str
    name: str
    words: str


def read_successors(text: str, *, known: Collection[str]) -> tuple[NamedSuccessor, ...]:
    """Return who follows the writer of an automatic reply, by its ``text``; ``known`` are the addresses of
    the writer and our own.
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
    if PhraseKind.departure in kinds:
        # "I have left for my holidays and will be back on Monday."
        return PhraseKind.successor in kinds or not _TEMPORARY.issubset(kinds)
    return PhraseKind.successor in kinds and PhraseKind.absence not in kinds


def _find_statement(kinds: Sequence[Collection[PhraseKind]], position: int) -> int | None:
    """Return the nearest sentence, up to the one at ``position``, that says that somebody left or follows;
    the one at ``position`` also if the sentence after it says so.
    """
    for back in range(position, max(-1, position - _REACH - 1), -1):
        if _LEAVING & set(kinds[back]):
            return back
    following = kinds[position + 1 : position + 2]
    return position if following and PhraseKind.successor in following[0] else None


def _is_about_something_else(kinds: Sequence[Collection[PhraseKind]], statement: int, position: int) -> bool:
    said = set(kinds[position])
    if PhraseKind.new_address in said:
        return True
    return PhraseKind.alternate in said and not _LEAVING & said and bool(_TEMPORARY & set(kinds[statement]))
