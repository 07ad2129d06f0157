"""In which language a page answers: as its address asks, as the reader's mail was, as the browser says."""

from collections.abc import Mapping
from urllib.parse import parse_qsl

from starlette.datastructures import Headers
from starlette.types import Scope

from mailer.i18n import LANGUAGES, SOURCE_LANGUAGE, Translator, load_translator, match_language

LANGUAGE_PARAMETER = "lang"
_MAX_ACCEPTED = 20
_MAX_TAG_LENGTH = 35


def choose_translator(scope: Scope, *, said: str = "", mail: str = "") -> Translator:
    """The language for the answer to a request.

    ``said`` is the language of the page whose form was sent, ``mail`` that of the mail the reader came from;
    either may be empty. ``?lang=`` comes before both, and what the browser accepts after them.
    """
    wanted = [
        read_requested_language(scope),
        said,
        mail,
        *parse_accept_language(Headers(scope=scope).get("accept-language", "")),
    ]
    return load_translator(
        match_language(tag for tag in wanted if 0 < len(tag) <= _MAX_TAG_LENGTH) or SOURCE_LANGUAGE
    )


def read_requested_language(scope: Scope) -> str:
    """The language of ours that the address asks for, empty where it asks for none."""
    try:
        query = dict(parse_qsl((scope.get("query_string") or b"").decode("latin-1"), max_num_fields=20))
    except ValueError:
        return ""
    return match_language([query.get(LANGUAGE_PARAMETER, "")[:_MAX_TAG_LENGTH]]) or ""


def read_form_language(fields: Mapping[str, str]) -> str:
    """The language a form says its page was in; empty where it is none of ours."""
    said = fields.get(LANGUAGE_PARAMETER, "")
    return said if said in LANGUAGES else ""


def parse_accept_language(header: str) -> list[str]:
    """The tags of an ``Accept-Language`` header, the most welcome first (RFC 9110 §12.5.4)."""
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
