"""Alt texts that a person wrote, told from those that a program made.

Word describes pictures by itself, in the language of its menus, and says so at the end of the description.
Other programs put the name or the path of the file there. A guess must not pass as a description.
"""

import re

from editions.checks.content import is_file_name

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


def choose_alt(alt: str, caption: str) -> str:
    """``alt`` if a person wrote it, and it is not the ``caption``; else nothing.

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
