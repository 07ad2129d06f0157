"""Ask the public address what a reader's browser and mail program would, and name what is wrong with it."""

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import SplitResult, urlsplit

from locales.phrase import Phrase, gettext_noop
from mailer.doctor.diagnosis import Diagnosis, find_bad, find_doubtful, find_good
from mailer.doctor.public_request import Answer, UnreachableError, request_page
from mailer.network import parse_address
from mailer.settings import LOOPBACK_HOSTS
from mailer.site_proof import QUESTION_HEADER, RequestOrigin, read_answer, sign_question
from mailer.workspace import Workspace

_SUBJECT = "public address"
_FAULT = "public-address"
_ALL_SECONDS = 60.0
_CERTIFICATE_WARNING = timedelta(days=14)
_MADE_UP = "192.0.2.1"
"""An address of nobody (RFC 5737), which we claim to be."""
_HTTP_PORT = 80
_ANOTHER = gettext_noop("another address")


def check_public_address(
    workspace: Workspace, *, http_port: int = _HTTP_PORT, seconds: float = _ALL_SECONDS
) -> tuple[Diagnosis, ...]:
    """Ask ``[web] base_url`` as readers do. Returns after ``seconds`` at the latest; changes nothing.

    Nothing is asked of an address that only this machine can open.
    """
    base = urlsplit(workspace.settings.web.base_url)
    if base.hostname in LOOPBACK_HOSTS and base.scheme == "http":
        return ()
    found: list[Diagnosis] = []

    failures: list[Exception] = []

    def ask() -> None:
        try:
            # One by one: what was found in time counts.
            for finding in _examine(workspace, base, http_port):
                found.append(finding)
        except Exception as error:
            failures.append(error)

    # In a thread of its own: neither looking up a name nor a server that drips bytes has a time limit.
    thread = threading.Thread(target=ask, name="mailer-doctor", daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        words = Phrase(
            gettext_noop("%(base)s had not answered every question after %(seconds)s s. Try again later."),
            base=base.geturl(),
            seconds=f"{seconds:.0f}",
        )
        return (*found, _bad(words))
    if failures:
        raise failures[0]
    return tuple(found)


def _examine(workspace: Workspace, base: SplitResult, http_port: int) -> Iterator[Diagnosis]:
    question = sign_question(workspace.keys.suppression, datetime.now(UTC))
    try:
        health = request_page(
            base, "GET", "/healthz", {QUESTION_HEADER: question, "X-Forwarded-For": _MADE_UP}
        )
    except UnreachableError as error:
        yield _bad(str(error))
        return
    if fault := _explain_health(base, health):
        yield _bad(fault)
        return
    origin = read_answer(workspace.keys.suppression, question, health.text)
    if origin is None:
        yield _bad(
            Phrase(
                gettext_noop(
                    "%(base)s is served by a mailer with other keys, or by an older version. Start `mailer "
                    "serve` for this workspace again, or correct [web] base_url."
                ),
                base=base.geturl(),
            )
        )
        return
    yield find_good(
        _SUBJECT, Phrase(gettext_noop("%(base)s shows this workspace's pages"), base=base.geturl())
    )
    yield from _judge_certificate(health)
    yield _judge_origin(origin)
    for judge in (_judge_one_click, _judge_metrics):
        try:
            yield judge(base)
        except UnreachableError as error:
            yield _bad(str(error))
    yield from _judge_plain_http(base, http_port)


def _explain_health(base: SplitResult, health: Answer) -> str:
    """What is wrong with the answer to the first question; empty if nothing is."""
    place = base.geturl()
    if health.is_redirect:
        return Phrase(
            gettext_noop(
                "%(place)s leads to %(location)s. Mail programs do not follow with a click on their "
                "own unsubscribe button. Set [web] base_url to the address that answers itself."
            ),
            place=place,
            location=health.location or _ANOTHER,
        )
    if health.status in {502, 503, 504}:
        return Phrase(
            gettext_noop(
                "%(place)s: the proxy answers, but `mailer serve` behind it does not (HTTP "
                "%(status)s). Start it, and compare its port with the one in the proxy's file."
            ),
            place=place,
            status=health.status,
        )
    if health.status == 421 or health.status != 200 or not health.is_ours:
        return Phrase(
            gettext_noop(
                "%(place)s: another program answers there (HTTP %(status)s for /healthz). Let the "
                "proxy pass this name on to `mailer serve`, as docs/serving.md shows, or correct [web] "
                "base_url."
            ),
            place=place,
            status=health.status,
        )
    return ""


def _judge_certificate(answer: Answer) -> Iterator[Diagnosis]:
    if answer.certificate_ends is None:
        return
    ends = answer.certificate_ends
    if ends - datetime.now(UTC) < _CERTIFICATE_WARNING:
        words = Phrase(
            gettext_noop("the certificate expires on %(ends)s. Find out why it was not renewed."),
            ends=f"{ends:%Y-%m-%d}",
        )
        yield find_doubtful(_SUBJECT, _FAULT, words)
    else:
        yield find_good(
            _SUBJECT,
            Phrase(gettext_noop("the certificate is valid until %(ends)s"), ends=f"{ends:%Y-%m-%d}"),
        )


def _judge_origin(origin: RequestOrigin) -> Diagnosis:
    last = parse_address(origin.forwarded[-1]) if origin.forwarded else None
    if not origin.forwarded:
        return _bad(
            Phrase(
                gettext_noop(
                    "the proxy at %(peer)s does not say who the visitor is, so all visitors share one "
                    "limit. Let it set X-Forwarded-For, as docs/serving.md shows."
                ),
                peer=origin.peer,
            )
        )
    if str(last) == _MADE_UP:
        return _bad(
            gettext_noop(
                "the proxy passes on the X-Forwarded-For of visitors, so anybody can choose the "
                "address that is seen. Let the proxy replace it or add to it, as docs/serving.md shows."
            )
        )
    if origin.client == str(parse_address(origin.peer) or origin.peer) and str(last) != origin.client:
        return _bad(
            Phrase(
                gettext_noop(
                    "the proxy at %(peer)s is not trusted, so all visitors share one limit. If it is "
                    'yours, add "%(peer)s" to [web] trusted_proxies.'
                ),
                peer=origin.peer,
            )
        )
    message = Phrase(
        gettext_noop("the proxy says who the visitor is (here %(client)s)"), client=origin.client
    )
    return find_good(_SUBJECT, message)


def _judge_one_click(base: SplitResult) -> Diagnosis:
    """Post as a mail program does, with a token of nobody: the pages answer that there is no such link."""
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    answer = request_page(base, "POST", "/u/doctor", form, b"List-Unsubscribe=One-Click")
    if answer.status == 404 and answer.is_ours:
        message = gettext_noop("a mail program's unsubscribe button reaches the pages")
        return find_good(_SUBJECT, message)
    if answer.is_redirect:
        return _bad(
            Phrase(
                gettext_noop(
                    "a mail program's unsubscribe button is sent on to %(location)s, and mail programs do "
                    "not follow. Let the proxy pass POST requests for /u/ on to `mailer serve`."
                ),
                location=answer.location or _ANOTHER,
            )
        )
    return _bad(
        Phrase(
            gettext_noop(
                "a mail program's unsubscribe button gets HTTP %(status)s and does not reach the pages. "
                "Let the proxy pass POST requests for /u/ on to `mailer serve`, without a login, a "
                "challenge or a check."
            ),
            status=answer.status,
        )
    )


def _judge_metrics(base: SplitResult) -> Diagnosis:
    answer = request_page(base, "GET", "/metrics")
    if answer.status == 200 and "mailer_" in answer.text:
        return _bad(
            gettext_noop(
                "/metrics shows your figures to everybody. Let the proxy answer 404 there, as "
                "docs/serving.md shows."
            )
        )
    return find_good(_SUBJECT, gettext_noop("/metrics is closed to readers"))


def _judge_plain_http(base: SplitResult, port: int) -> Iterator[Diagnosis]:
    if base.scheme != "https" or (base.port not in {None, 443} and port == _HTTP_PORT):
        return
    plain = base._replace(scheme="http", netloc=f"{_bracket(base.hostname or '')}:{port}")
    advice = Phrase(
        gettext_noop("Let the proxy send visitors of http:// on to %(base)s, as docs/serving.md shows."),
        base=base.geturl(),
    )
    try:
        answer = request_page(plain, "GET", "/")
    except UnreachableError:
        words = Phrase(
            gettext_noop("nothing answers at http://, where people arrive who type the address. %(advice)s"),
            advice=advice,
        )
        yield find_doubtful(_SUBJECT, _FAULT, words)
        return
    if answer.is_redirect and answer.location.startswith("https://"):
        yield find_good(_SUBJECT, gettext_noop("http:// leads to https://"))
    else:
        words = Phrase(
            gettext_noop("http:// does not lead to https:// (HTTP %(status)s). %(advice)s"),
            status=answer.status,
            advice=advice,
        )
        yield find_doubtful(_SUBJECT, _FAULT, words)


def _bad(message: str) -> Diagnosis:
    return find_bad(_SUBJECT, _FAULT, message)


def _bracket(host: str) -> str:
    return f"[{host}]" if ":" in host else host
