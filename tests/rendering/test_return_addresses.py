"""The addresses with a token, as they are made and as they come back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.rendering.headers import find_token, make_address
from subscribers.tokens import LinkPurpose, TokenSigner

TOKEN = TokenSigner(keys={1: b"k" * 32}, current=1).sign_mail(
    LinkPurpose.bounce, subscriber_id=7, campaign_id=3
)
ADDRESS = make_address("bounce@news.example.org", "+", TOKEN)


def test_the_token_stands_before_the_domain() -> None:
    assert f"bounce+{TOKEN}@news.example.org" == ADDRESS
    assert len(ADDRESS.partition("@")[0]) <= 64


@pytest.mark.parametrize(
    "returned",
    [
        ADDRESS,
        ADDRESS.upper(),
        f"  {ADDRESS} ",
        f'"bounce+{TOKEN}"@news.example.org',
        f"prvs=4821a3c9b1=bounce+{TOKEN}@news.example.org",
        f"SRS0=HHH=TT=news.example.org=bounce+{TOKEN}@forwarder.example.net",
        make_address("news-bounce@news.example.org", "-", TOKEN),
    ],
)
def test_a_token_is_found_whatever_servers_did_to_its_address(returned: str) -> None:
    assert find_token(returned) == TOKEN


@pytest.mark.parametrize(
    "address",
    [
        "",
        "@",
        "bounce@news.example.org",
        f"bounce+{TOKEN[:-1]}@news.example.org",
        f"bounce+f{TOKEN}@news.example.org",
        f"bounce+{TOKEN}x@news.example.org",
        f"bounce@{TOKEN}",
        TOKEN,
    ],
)
def test_other_addresses_have_none(address: str) -> None:
    assert find_token(address) is None


@given(st.text(max_size=90))
def test_no_address_is_too_strange_to_look_at(address: str) -> None:
    assert find_token(address) is None or len(address) > 50
