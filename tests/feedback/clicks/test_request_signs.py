"""What one request says of who made it."""

import tomllib
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.feedback import clicks
from mailer.feedback.clicks.request_signs import Sign, find_signs
from tests.factories.clicks import BROWSER_HEADERS, make_request

CLICKS = Path(clicks.__file__).parent
AGENTS_OF_PEOPLE = (
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/26.1 Safari/605.1.15",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/26.1 Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:144.0) Gecko/20100101 Firefox/144.0",
    "Mozilla/5.0 (Linux; Android 13; V2185A; wv) AppleWebKit/537.36 Version/4.0 Chrome/116.0.0.0 Mobile "
    "Safari/537.36 MicroMessenger/8.0.50 Language/zh_CN",
    "Mozilla/5.0 (Linux; Android 14; SM-S911N; wv) AppleWebKit/537.36 Version/4.0 Chrome/141.0.0.0 Mobile "
    "Safari/537.36;KAKAOTALK 2510110",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/142.0.0.0 Safari/537.36 Edg/142.0",
    "Mozilla/5.0 (Linux; Android 11; CUBOT; wv) AppleWebKit/537.36 Version/4.0 Chrome/131.0.0.0 Mobile "
    "Safari/537.36",
    "Mozilla/5.0 (Linux; Android 12; M2102J2SC) AppleWebKit/537.36 Version/4.0 Chrome/116.0.0.0 Mobile "
    "Safari/537.36 SogouMSE,SogouMobileBrowser/11.1.10",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 Version/26.1 Mobile/15E148 "
    "Safari/604.1 KasperskySafeBrowser/3.3",
    "Mozilla/5.0 (Linux; Android 14; 23021RAA2Y) AppleWebKit/537.36 Chrome/142.0.0.0 Mobile Safari/537.36 "
    "baiduboxapp/13.0",
)


def test_a_browser_has_no_sign() -> None:
    assert find_signs(make_request()) == ()


def test_a_request_for_the_headers_alone_is_a_sign() -> None:
    assert find_signs(make_request(method="HEAD")) == (Sign.head,)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("sec-purpose", "prefetch"),
        ("sec-purpose", "prefetch;prerender"),
        ("purpose", "prefetch"),
        ("purpose", "Preview"),
        ("x-purpose", "preview"),
        ("x-moz", "prefetch"),
    ],
)
def test_a_browser_that_loads_ahead_says_so(name: str, value: str) -> None:
    assert find_signs(make_request(headers={**BROWSER_HEADERS, name: value})) == (Sign.prefetch,)


@pytest.mark.parametrize(
    "agent",
    [
        "",
        "  ",
        "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)",
        "facebookexternalhit/1.1",
        "WhatsApp/2.23.20.0",
        "python-requests/2.32.3",
        "curl/8.5.0",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 HeadlessChrome/142.0.0.0 Safari/537.36",
        "Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5",
    ],
)
def test_a_program_that_names_itself_is_known(agent: str) -> None:
    assert Sign.program in find_signs(make_request(user_agent=agent))


@pytest.mark.parametrize("agent", AGENTS_OF_PEOPLE)
def test_no_browser_of_people_is_taken_for_a_program(agent: str) -> None:
    assert find_signs(make_request(user_agent=agent)) == ()


@pytest.mark.parametrize(
    ("address", "sign"),
    [
        ("40.107.218.12", Sign.network),
        ("2a01:111:f403::17", Sign.network),
        ("209.222.82.4", Sign.network),
        ("66.249.84.3", Sign.network),
        ("148.163.150.4", Sign.shared_network),
        ("207.211.31.14", Sign.shared_network),
        ("184.94.241.2", Sign.shared_network),
    ],
)
def test_networks_of_filters_are_known(address: str, sign: Sign) -> None:
    assert find_signs(make_request(address=address)) == (sign,)


@pytest.mark.parametrize("address", ["", "unknown", "192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1", "1.2.3"])
def test_other_addresses_and_what_is_no_address_are_no_sign(address: str) -> None:
    assert find_signs(make_request(address=address)) == ()


def test_every_browser_asks_for_a_language() -> None:
    headers = {name: value for name, value in BROWSER_HEADERS.items() if name != "accept-language"}
    assert find_signs(make_request(headers=headers)) == (Sign.no_language,)


def test_a_browser_of_today_without_fetch_metadata_is_a_sign_and_an_old_safari_is_none() -> None:
    headers = {name: BROWSER_HEADERS[name] for name in ("accept", "accept-language")}
    assert find_signs(make_request(headers=headers)) == (Sign.unlike_browser,)
    old = "Mozilla/5.0 (iPhone; CPU iPhone OS 15_0) Version/15.0 Mobile/15E148 Safari/604.1"
    assert find_signs(make_request(headers=headers, user_agent=old)) == ()


def test_a_browser_that_hardly_anybody_has_any_more_is_a_sign() -> None:
    agent = "Mozilla/5.0 (Windows NT 6.1) AppleWebKit/537.36 Chrome/57.0.2987.133 Safari/537.36"
    assert find_signs(make_request(user_agent=agent)) == (Sign.unlike_browser,)


def test_every_entry_of_the_tables_has_a_source_and_a_date() -> None:
    for name in ("programs", "networks"):
        table = tomllib.loads((CLICKS / f"known_{name}.toml").read_text(encoding="utf-8"))
        for entry in next(iter(table.values())):
            assert entry["source"].startswith("https://")
            assert isinstance(entry["date"], date)


@given(agent=st.text(max_size=200), address=st.text(max_size=60), method=st.text(max_size=9))
def test_any_request_can_be_read(agent: str, address: str, method: str) -> None:
    signs = find_signs(make_request(user_agent=agent, address=address, method=method, headers={}))
    assert len(",".join(signs)) <= 200
