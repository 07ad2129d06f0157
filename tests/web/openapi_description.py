"""The public pages described in OpenAPI, for a program that tests pages from their description.

The application publishes none, and its handlers read forms by themselves. So what FastAPI knows of the routes
is completed here: the fields of the forms, the words that mean something in them, what may come back. Such a
program sends what is described, and as often what is not: words nobody has told it of.
"""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from mailer.i18n import LANGUAGES
from mailer.selfservice.unsubscribe import UnsubscribeReason
from subscribers.tokens import CLICK, LinkPurpose

Described = dict[str, Any]
Words = Mapping[str, Sequence[str]]
"""Valid values by the name of a field, or for links by their purpose."""

_PURPOSES = {
    "/u/": LinkPurpose.subscription,
    "/p/": LinkPurpose.subscription,
    "/confirm/": LinkPurpose.confirm,
    "/d/export/": LinkPurpose.export,
    "/d/erase/": LinkPurpose.erase,
    "/d/address/": LinkPurpose.address,
    "/d/move/": LinkPurpose.new_address,
    "/c/": CLICK,
}
_KINDS = {
    "/healthz": "text/plain",
    "/robots.txt": "text/plain",
    "/favicon.ico": "image/svg+xml",
    "/static/{name}": "*/*",
    "/media/{name}": "image/*",
    "/feed.{ending}": "application/*",
    "/feed/{axis}/{about}.{ending}": "application/*",
}
"""The media type of a response that is not a page."""

_FIELDS_OF_FILES = {"/verify/mail": ["mail"]}
_SOMEBODYS_MAIL = "From: a@example.com\r\nSubject: News\r\n\r\nText.\r\n"
_POSTED_KINDS = {"/u/{token}": "text/plain", "/d/export/{token}": "application/json"}
_PAGE = "text/html"
_TEXT = {"type": "string"}
_SENT_ON = ("/c/{token}/{number}",)
_REFUSED_FORMS = ("400", "404", "409", "413", "415", "422", "429")
_HEADERS = ("content-security-policy", "x-content-type-options", "referrer-policy", "cache-control")


def describe(app: FastAPI, words: Words) -> Described:
    """``app`` in OpenAPI, with genuine ``words``."""
    with warnings.catch_warnings():
        # One handler answers GET and HEAD, and FastAPI makes the same name of it twice.
        warnings.filterwarnings(
            "ignore", message="Duplicate Operation ID", category=UserWarning, module=r"fastapi\."
        )
        described = get_openapi(title="The public pages", version="1", routes=app.routes)
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            del operation["operationId"]
            _name_parameters(operation, path, words)
            operation["responses"] = _list_answers(path, method)
            if path.startswith("/hooks/"):
                operation["requestBody"] = _post_events()
                operation["parameters"].append(_parameter("header", "Authorization", *words["authorization"]))
            elif method == "post":
                operation["requestBody"] = _fill_form(path, words)
    return described


def list_fields(words: Words) -> Mapping[str, Described]:
    """Every field of the forms on the public pages."""
    return {
        "lang": _one_of(*LANGUAGES),
        "name": _TEXT,
        "nameless": _one_of("yes"),
        "country": _one_of("MN", "CN", ""),
        "sector": _several_of("education", "culture"),
        "follow": _several_of("MN", "KR"),
        "language": _one_of("en", "zh-Hans", ""),
        "frequency": _one_of("every", "pause"),
        "until": {"type": "string", "format": "date"},
        "clicks": _one_of("yes"),
        "clicks-asked": _one_of("yes"),
        "reason": _one_of(*UnsubscribeReason),
        "from": _one_of("undo", "again"),
        "wish": _one_of("export", "address", "erase"),
        "email": {"type": "string", "format": "email"},
        "stamp": _one_of(*words["stamp"]),
        "website": _one_of(""),
        "List-Unsubscribe": _one_of("One-Click"),
        "code": _one_of("0000-0000-0000-0000", "7K3M-QX9P-2HWD-5T8R"),
        "mail": {"anyOf": [_one_of(_SOMEBODYS_MAIL), {"type": "string", "minLength": 1}]},
    }


def _name_parameters(operation: Described, path: str, words: Words) -> None:
    purpose = next((purpose for start, purpose in _PURPOSES.items() if path.startswith(start)), None)
    parameters = operation.setdefault("parameters", [])
    for parameter in parameters:
        name = purpose if parameter["name"] == "token" else parameter["name"]
        parameter["schema"] = _one_of(*words[name]) if name in words else _TEXT
    parameters += [
        _parameter("query", "lang", *LANGUAGES),
        _parameter("header", "Accept-Language", "mn, en;q=0.5", "zh-TW", "*"),
        # One network may ask some twenty times an hour; the proxy in front says which it is.
        _parameter("header", "X-Forwarded-For", *(f"2001:db8:{number:x}::7" for number in range(99))),
    ]


def _fill_form(path: str, words: Words) -> Described:
    form = {"type": "object", "properties": list_fields(words), "additionalProperties": False}
    typed, with_files = "application/x-www-form-urlencoded", "multipart/form-data"
    # The first is what our pages send; the others are what a form of somebody else may.
    kinds = {typed: form, with_files: form, "text/plain": _TEXT}
    if path in _FIELDS_OF_FILES:
        kinds = {with_files: {**form, "required": _FIELDS_OF_FILES[path]}, typed: form, "text/plain": _TEXT}
    return {"required": True, "content": {kind: {"schema": schema} for kind, schema in kinds.items()}}


def _post_events() -> Described:
    """Events with the fields of every provider, one or several."""
    names = ("event", "email", "RecordType", "Type", "Email", "reason", "time", "message-id", "CustomID")
    kinds = _one_of("hard_bounce", "spam", "unsub", "Bounce", "HardBounce", "SpamComplaint", "deferred")
    event = {"type": "object", "properties": {name: {"anyOf": [kinds, _TEXT]} for name in names}}
    schema = {"anyOf": [event, {"type": "array", "items": event, "maxItems": 3}]}
    return {"required": True, "content": {"application/json": {"schema": schema}}}


def _list_answers(path: str, method: str) -> Described:
    if path.startswith("/hooks/"):
        kinds, refusals = {"text/plain"}, (*_REFUSED_FORMS, "401", "403")
    elif method == "post":
        kinds, refusals = {_POSTED_KINDS.get(path, _PAGE), _PAGE}, _REFUSED_FORMS
    else:
        kinds, refusals = {_KINDS.get(path, _PAGE)}, ("404",)
    sent_on = {"302": _answer()} if path in _SENT_ON else {}
    # A program that follows where it is sent on finds a page.
    found = {**sent_on, "200": _answer(*sorted(kinds))}
    return {**found, **{status: _answer(_PAGE) for status in refusals}}


def _answer(*kinds: str) -> Described:
    headers = {name: {"required": True, "schema": _TEXT} for name in _HEADERS}
    return {"description": "", "content": {kind: {} for kind in kinds}, "headers": headers}


def _one_of(*words: str) -> Described:
    return {"enum": [str(word) for word in words]}


def _several_of(*words: str) -> Described:
    return {"type": "array", "items": _one_of(*words), "maxItems": 4}


def _parameter(where: str, name: str, *words: str) -> Described:
    return {"name": name, "in": where, "required": False, "schema": _one_of(*words)}
