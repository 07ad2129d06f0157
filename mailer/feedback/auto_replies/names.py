"""Finds the name of a person beside their address.

Names have no pattern of their own, so a name that agrees with its address counts most: "Jonas Holt" with
jonas.holt@… or j.holt@…. Otherwise it is what stands where a name stands: directly before the address.
"""

import re
import unicodedata
from collections.abc import Sequence

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


def find_name(address: str, before: str, sentences: Sequence[str]) -> str:
    """Return the name of whom ``address`` belongs to; "" if none is found.

    ``before`` is what stands before it in its sentence, ``sentences`` the text around it.
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
