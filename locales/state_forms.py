"""Names that say what kind of state a country is: "Republik Österreich", "Reino de Suecia", "ガーナ共和国".

The United Nations have such names in six languages only, in one spelling each. The rest of the name is looked
up, and counts if the country is of that kind: the People's Republic is not meant by "Republic of China".
"""

from collections.abc import Mapping

from locales.name_keys import distinctive_words, name_words

_REPUBLIC = "Republic of "
_KINGDOM = "Kingdom of "
_WORDS: Mapping[str, str] = {
    "republic": _REPUBLIC,
    "republik": _REPUBLIC,
    "республика": _REPUBLIC,
    "جمهوريه": _REPUBLIC,
    "kingdom": _KINGDOM,
    "royaume": _KINGDOM,
    "reino": _KINGDOM,
    "konigreich": _KINGDOM,
    "королевство": _KINGDOM,
    "مملكه": _KINGDOM,
}
_ENDINGS: Mapping[str, str] = {
    "共和国": _REPUBLIC,
    "共和國": _REPUBLIC,
    "공화국": _REPUBLIC,
    "王国": _KINGDOM,
    "王國": _KINGDOM,
    "왕국": _KINGDOM,
}


def split_state_form(name: str) -> tuple[str, str] | None:
    """How the formal English name of such a state begins, and the loose key of the rest of ``name``.

    None when ``name`` is not of that form.
    """
    words = distinctive_words(name_words(name))
    if len(words) > 1 and (form := _WORDS.get(words[0])):
        return form, "".join(words[1:])
    key = "".join(words)
    for ending, form in _ENDINGS.items():
        if (rest := key.removesuffix(ending)) and rest != key:
            return form, rest
    return None
