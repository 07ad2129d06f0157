"""Checks that readers reach the public pages: their address, the proxy before them, and HTTPS."""

import contextlib
import http.client
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import SplitResult, urlsplit

from locales.phrase import Phrase, gettext_noop
from mailer.background import TooSlowError, run_within
from mailer.doctor.diagnosis import Diagnosis, find_bad, find_doubtful, find_good
from mailer.network import parse_address, parse_listen_address
from mailer.settings import LOOPBACK_HOSTS
from mailer.site_proof import QUESTION_HEADER, RequestOrigin, read_answer, sign_question
from mailer.workspace import Workspace

_SECONDS = 10.0
_LARGEST_BODY = 65_536
_SUBJECT = "public address"
_FAULT = "public-address"
_ALL_SECONDS = 60.0
_CERTIFICATE_WARNING = timedelta(days=14)
_MADE_UP = "192.0.2.1"
"""An address of nobody (RFC 5737), which we claim to be."""
_HTTP_PORT = 80
_ANOTHER = gettext_noop("another address")


class UnreachableError(Exception):
    """There is no answer; the message says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class PageAnswer:
    """What was answered, and to where it leads, "" if nowhere. ``is_ours`` says that our pages answered, and
    ``certificate_ends`` until when the certificate is valid; None without one."""

    status: int
    location: str
    is_ours: bool
    text: str
    certificate_ends: datetime | None

    @property
    def is_redirect(self) -> bool:
        return 300 <= self.status < 400


def request_page(
    base: SplitResult,
    method: str,
    path: str,
    headers: dict[str, str] | None = None,
    body: bytes | None = None,
) -> PageAnswer:
    """Request ``path`` below ``base``, without following where the answer leads. Raise UnreachableError if
    there is no answer.
    """
    host, port = base.hostname or "", base.port or (443 if base.scheme == "https" else 80)
    connection = _make_connection(base.scheme, host, port)
    sent = {**(headers or {}), "User-Agent": "partner-mailer-doctor"}
    with contextlib.closing(connection), _explain_failures(host, port):
        connection.request(method, f"{base.path}{path}", body=body, headers=sent)
        ends = _read_certificate_end(connection.sock)
        response = connection.getresponse()
        return PageAnswer(
            status=response.status,
            location=response.getheader("location", "") or "",
            # A header that all of our pages have, and no error page of a proxy.
            is_ours="default-src 'none'" in (response.getheader("content-security-policy", "") or ""),
            text=response.read(_LARGEST_BODY).decode("utf-8", "replace"),
            certificate_ends=ends,
        )


def _make_connection(scheme: str, host: str, port: int) -> http.client.HTTPConnection:
    if scheme == "https":
        return http.client.HTTPSConnection(host, port, timeout=_SECONDS, context=ssl.create_default_context())
    return http.client.HTTPConnection(host, port, timeout=_SECONDS)


def _read_certificate_end(connected: socket.socket | ssl.SSLSocket) -> datetime | None:
    certificate = connected.getpeercert() if isinstance(connected, ssl.SSLSocket) else None
    if not certificate:
        return None
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(certificate["notAfter"])), UTC)


@contextlib.contextmanager
def _explain_failures(host: str, port: int) -> Iterator[None]:
    try:
        yield
        return
    except socket.gaierror as error:
        words = Phrase(
            "the name %(host)s is not known (%(error)s). Add it to your DNS, or correct [web] base_url.",
            host=host,
            error=error.strerror,
        )
    except ssl.SSLCertVerificationError as error:
        fault = error.verify_message.rstrip(".")
        words = Phrase(
            "the certificate of %(host)s is not valid: %(fault)s. Readers see a warning, and mail "
            "programs give up. Let the proxy use a valid one, with the whole chain.",
            host=host,
            fault=fault,
        )
    except ssl.SSLError as error:
        words = Phrase(
            "%(host)s port %(port)s does not speak https (%(reason)s). Check the proxy's "
            "certificate and port.",
            host=host,
            port=port,
            reason=error.reason or error,
        )
    except TimeoutError:
        words = Phrase(
            "%(host)s port %(port)s does not answer within %(seconds)s s. Check the firewall, and "
            "where the name points to.",
            host=host,
            port=port,
            seconds=f"{_SECONDS:.0f}",
        )
    except ConnectionRefusedError:
        words = Phrase(
            "nothing listens at %(host)s port %(port)s. Start the proxy, or correct where the name "
            "points to.",
            host=host,
            port=port,
        )
    except (OSError, http.client.HTTPException) as error:
        words = Phrase(
            "%(host)s port %(port)s gives no answer (%(error)s). Check the proxy.",
            host=host,
            port=port,
            error=error or type(error).__name__,
        )
    raise UnreachableError(words)


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

    def ask() -> None:
        # One by one: what was found in time counts.
        for finding in _examine(workspace, base, http_port):
            found.append(finding)

    try:
        run_within(seconds, ask, name="mailer-doctor")
    except TooSlowError:
        words = Phrase(
            "%(base)s had not answered every question after %(seconds)s s. Try again later.",
            base=base.geturl(),
            seconds=f"{seconds:.0f}",
        )
        return (*found, _bad(words))
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
                "%(base)s is served by a mailer with other keys, or by an older version. Start `mailer "
                "serve` for this workspace again, or correct [web] base_url.",
                base=base.geturl(),
            )
        )
        return
    yield find_good(_SUBJECT, Phrase("%(base)s shows this workspace's pages", base=base.geturl()))
    yield from _judge_certificate(health)
    yield _judge_origin(origin)
    for judge in (_judge_one_click, _judge_metrics):
        try:
            yield judge(base)
        except UnreachableError as error:
            yield _bad(str(error))
    yield from _judge_plain_http(base, http_port)


def _explain_health(base: SplitResult, health: PageAnswer) -> str:
    """Return what is wrong with the answer to the first question; empty if nothing is."""
    place = base.geturl()
    if health.is_redirect:
        return Phrase(
            "%(place)s leads to %(location)s. Mail programs do not follow with a click on their "
            "own unsubscribe button. Set [web] base_url to the address that answers itself.",
            place=place,
            location=health.location or _ANOTHER,
        )
    if health.status in {502, 503, 504}:
        return Phrase(
            "%(place)s: the proxy answers, but `mailer serve` behind it does not (HTTP "
            "%(status)s). Start it, and compare its port with the one in the proxy's file.",
            place=place,
            status=health.status,
        )
    if health.status == 421 or health.status != 200 or not health.is_ours:
        return Phrase(
            "%(place)s: another program answers there (HTTP %(status)s for /healthz). Let the "
            "proxy pass this name on to `mailer serve`, as docs/serving.md shows, or correct [web] "
            "base_url.",
            place=place,
            status=health.status,
        )
    return ""


def _judge_certificate(answer: PageAnswer) -> Iterator[Diagnosis]:
    if answer.certificate_ends is None:
        return
    ends = answer.certificate_ends
    if ends - datetime.now(UTC) < _CERTIFICATE_WARNING:
        words = Phrase(
            "the certificate expires on %(ends)s. Find out why it was not renewed.",
            ends=f"{ends:%Y-%m-%d}",
        )
        yield find_doubtful(_SUBJECT, _FAULT, words)
    else:
        yield find_good(
            _SUBJECT,
            Phrase("the certificate is valid until %(ends)s", ends=f"{ends:%Y-%m-%d}"),
        )


def _judge_origin(origin: RequestOrigin) -> Diagnosis:
    last = parse_address(origin.forwarded[-1]) if origin.forwarded else None
    if not origin.forwarded:
        return _bad(
            Phrase(
                "the proxy at %(peer)s does not say who the visitor is, so all visitors share one "
                "limit. Let it set X-Forwarded-For, as docs/serving.md shows.",
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
                "the proxy at %(peer)s is not trusted, so all visitors share one limit. If it is "
                'yours, add "%(peer)s" to [web] trusted_proxies.',
                peer=origin.peer,
            )
        )
    message = Phrase("the proxy says who the visitor is (here %(client)s)", client=origin.client)
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
                "a mail program's unsubscribe button is sent on to %(location)s, and mail programs do "
                "not follow. Let the proxy pass POST requests for /u/ on to `mailer serve`.",
                location=answer.location or _ANOTHER,
            )
        )
    return _bad(
        Phrase(
            "a mail program's unsubscribe button gets HTTP %(status)s and does not reach the pages. "
            "Let the proxy pass POST requests for /u/ on to `mailer serve`, without a login, a "
            "challenge or a check.",
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
    host = base.hostname or ""
    plain = base._replace(scheme="http", netloc=f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
    advice = Phrase(
        "Let the proxy send visitors of http:// on to %(base)s, as docs/serving.md shows.",
        base=base.geturl(),
    )
    try:
        answer = request_page(plain, "GET", "/")
    except UnreachableError:
        words = Phrase(
            "nothing answers at http://, where people arrive who type the address. %(advice)s",
            advice=advice,
        )
        yield find_doubtful(_SUBJECT, _FAULT, words)
        return
    if answer.is_redirect and answer.location.startswith("https://"):
        yield find_good(_SUBJECT, gettext_noop("http:// leads to https://"))
    else:
        words = Phrase(
            "http:// does not lead to https:// (HTTP %(status)s). %(advice)s",
            status=answer.status,
            advice=advice,
        )
        yield find_doubtful(_SUBJECT, _FAULT, words)


def _bad(message: str) -> Diagnosis:
    return find_bad(_SUBJECT, _FAULT, message)


def check_web(workspace: Workspace) -> Iterator[Diagnosis]:
    """Check the address that readers' links begin with."""
    web = workspace.settings.web
    if not web.supports_one_click:
        advice = gettext_noop(
            "%(address)s: one-click unsubscribe requires https (RFC 8058). Set [web] base_url to an https "
            "address."
        )
        yield find_bad("web", "web-not-https", Phrase(advice, address=web.base_url))
    elif web.base_url.startswith("http://"):
        advice = gettext_noop(
            "%(address)s: only this machine can open this address. Set [web] base_url before you send to "
            "real readers."
        )
        yield find_doubtful("web", "web-on-this-machine", Phrase(advice, address=web.base_url))
    else:
        yield find_good(
            "web",
            Phrase("%(base_url)s: https, as one-click unsubscribe requires", base_url=web.base_url),
        )
    if web.base_url.startswith("https://") and not web.accessibility_contact:
        sender = workspace.settings.sender
        message = Phrase(
            "readers report barriers to %(reply_to)s, as /accessibility says. For another address "
            "or a form, set [web] accessibility_contact.",
            reply_to=sender.reply_to or sender.address,
        )
        yield find_good("accessibility", message)


def check_public_pages(workspace: Workspace) -> Iterator[Diagnosis]:
    """Ask the public address as a reader would, and look where the metrics are."""
    metrics = workspace.settings.web.metrics
    if metrics and parse_listen_address(metrics).is_everywhere:
        message = Phrase(
            "[web] metrics = %(metrics)s is open to everybody who reaches this machine. Name one "
            "address of an internal network, or 127.0.0.1.",
            metrics=metrics,
        )
        yield find_doubtful("metrics", "metrics-open", message)
    yield from check_public_address(workspace)
