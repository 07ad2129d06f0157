"""Choosing the language of a page: from its address, the reader's email, or the browser."""

from urllib.parse import parse_qsl

from starlette.datastructures import Headers
from starlette.types import Scope

from mailer.i18n import SOURCE_LANGUAGE, Translator, load_translator, match_language

LANGUAGE_PARAMETER = "lang"
_MAX_ACCEPTED = 20
_MAX_TAG_LENGTH = 35


def choose_translator(scope: Scope, *, form_language: str = "", mail_language: str = "") -> Translator:
    """Choose the language of the response to a request.

    ``form_language`` is that of the page whose form was sent, ``mail_language`` that of the email the reader
    came from; either may be empty. ``?lang=`` comes before both, and Accept-Language after them.
    """
    wanted = [
        read_requested_language(scope),
        form_language,
        mail_language,
        *parse_accept_language(Headers(scope=scope).get("accept-language", "")),
    ]
    return load_translator(
        match_language(tag for tag in wanted if 0 < len(tag) <= _MAX_TAG_LENGTH) or SOURCE_LANGUAGE
    )


def read_requested_language(scope: Scope) -> str:
    """Return the language that ``?lang=`` asks for, if the pages have it; otherwise an empty string."""
    try:
        query = dict(parse_qsl((scope.get("query_string") or b"").decode("latin-1"), max_num_fields=20))
    except ValueError:
        return ""
    return match_language([query.get(LANGUAGE_PARAMETER, "")[:_MAX_TAG_LENGTH]]) or ""


def parse_accept_language(header: str) -> list[str]:
    """Return the tags of an ``Accept-Language`` header, by preference (RFC 9110 §12.5.4)."""
    weighed = []
    for place, part in enumerate(header.split(",")[:_MAX_ACCEPTED]):
        tag, _, parameters = part.partition(";")
        weight = _parse_weight(parameters)
        if weight > 0 and (tag := tag.strip()):
            weighed.append((-weight, place, tag))
    return [tag for _, _, tag in sorted(weighed)]


def _parse_weight(parameters: str) -> float:
    name, _, value = parameters.strip().partition("=")
    if name.strip().lower() != "q":
        return 1.0
    try:
        weight = float(value)
    except ValueError:
        return 0.0
    return weight if 0 <= weight <= 1 else 0.0
