"""What one request says of who made it."""

import pytest

from mailer.feedback.clicks.request_signs import Sign, find_signs
from tests.factories.clicks import BROWSER_HEADERS, make_request


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
