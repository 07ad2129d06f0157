"""Which requests are allowed, checked without a server."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import Response

from mailer.web.security import (
    PAGE_POLICY,
    SecurityRules,
    check_request,
    has_encoded_separator,
    is_same_origin,
    make_mail_policy,
)

RULES = SecurityRules(
    policy=PAGE_POLICY,
    error_page=lambda status: Response(status_code=status),
    public_hosts=frozenset({"news.example.org"}),
    cross_site_post_paths=("/u/",),
)


def scope(method: str, path: str, raw_path: bytes | None = None, **headers: str) -> dict[str, object]:
    fields = {"host": "127.0.0.1:8025"} | {name.replace("_", "-"): value for name, value in headers.items()}
    return {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode() if raw_path is None else raw_path,
        "headers": [(name.encode(), value.encode("latin-1", "replace")) for name, value in fields.items()],
    }


@pytest.mark.parametrize("site", ["cross-site", "same-site", "", "Same-Origin", "none,none"])
def test_a_form_on_another_site_is_refused(site: str) -> None:
    assert (
        check_request(scope("POST", "/p/token", sec_fetch_site=site, origin="http://127.0.0.1:8025"), RULES)
        == 403
    )


@pytest.mark.parametrize(
    "headers",
    [
        {"sec_fetch_site": "same-origin"},
        {"sec_fetch_site": "none"},
        {"origin": "http://127.0.0.1:8025"},
        {"origin": "https://news.example.org"},
    ],
)
def test_our_own_form_is_allowed(headers: dict[str, str]) -> None:
    assert check_request(scope("POST", "/p/token", **headers), RULES) is None


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "null",
        "http://evil.example",
        "http://127.0.0.1",
        "127.0.0.1:8025",
        "http://127.0.0.1:8025.evil.example",
    ],
)
def test_without_fetch_metadata_the_origin_must_be_ours(origin: str) -> None:
    assert check_request(scope("POST", "/p/token", origin=origin), RULES) == 403


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE", "post"])
def test_every_unsafe_method_is_checked(method: str) -> None:
    assert check_request(scope(method, "/p/token"), RULES) == 403


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_get_and_head_are_always_allowed(method: str) -> None:
    assert check_request(scope(method, "/p/token", sec_fetch_site="cross-site"), RULES) is None


def test_a_mail_program_may_post_an_unsubscribe_without_origin() -> None:
    assert check_request(scope("POST", "/u/token"), RULES) is None
    assert (
        check_request(
            scope("POST", "/u/token", sec_fetch_site="cross-site", origin="https://mail.example"), RULES
        )
        is None
    )


@pytest.mark.parametrize("path", ["/U/token", "/x/u/token", "//u/token", "/u", "/./u/token"])
def test_the_exempt_path_has_only_one_spelling(path: str) -> None:
    assert check_request(scope("POST", path), RULES) == 403


@pytest.mark.parametrize("raw", [b"/u%2ftoken", b"/u%2Ftoken", b"/u/a%5cb", b"/u/a%00", b"/%2e%2e%2fu/token"])
def test_a_path_with_an_encoded_separator_is_not_found(raw: bytes) -> None:
    assert has_encoded_separator(raw)
    assert check_request(scope("POST", "/u/token", raw), RULES) == 404


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("127.0.0.1:8026", True),
        ("localhost:8026", True),
        ("[::1]:8026", True),
        ("LOCALHOST", True),
        ("evil.example:8026", False),
        ("127.0.0.1.evil.example", False),
        ("127.0.0.1@evil.example", False),
        ("", False),
        ("[", False),
    ],
)
def test_a_preview_accepts_only_local_host_names(host: str, allowed: bool) -> None:
    rules = SecurityRules(policy="", error_page=RULES.error_page, local_only=True)
    assert (check_request(scope("GET", "/", host=host), rules) is None) is allowed


def test_a_mail_on_a_page_cannot_run_scripts() -> None:
    policy = make_mail_policy(images="'self'", ancestors="'none'")
    assert policy.startswith("sandbox ")
    assert "script-src 'none'" in policy
    assert not {"allow-scripts", "allow-same-origin", "allow-forms"} & set(policy.split())


@given(origin=st.text(), host=st.text())
def test_no_header_crashes_the_check(origin: str, host: str) -> None:
    assert is_same_origin({"origin": origin, "host": host}, frozenset()) in {True, False}
    rules = SecurityRules(policy="", error_page=RULES.error_page, local_only=True)
    assert check_request(scope("POST", "/p/x", origin=origin, host=host), rules) in {None, 403, 421}
