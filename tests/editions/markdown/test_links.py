"""Links a mail may carry, and the others."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from editions.markdown.links import find_link_fault


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org",
        "http://example.org/a?b=1&c=%20#d",
        "HTTPS://Example.org:8443/",
        "https://教育.cn/a",
        "https://xn--wnyy1c.cn/",
        "https://example.org/a(b)",
        "https://example.org./",
        "mailto:office@example.org",
        "mailto:office@example.org?subject=Hello",
        "https://mp.weixin.qq.com/s/3meKmbgoF8dLx2OjRjAfIA",
        "https://1.example.org/2.3",
    ],
)
def test_links_readers_can_follow_are_fine(url: str) -> None:
    assert find_link_fault(url) is None


@pytest.mark.parametrize(
    ("url", "code", "words"),
    [
        ("", "relative-link", "the link '' is relative, and relative links do not work in an email"),
        ("/forum", "relative-link", "beginning with https://"),
        ("forum.html", "relative-link", "is relative"),
        ("#top", "relative-link", "is relative"),
        ("//example.org/a", "relative-link", "is relative"),
        ("www.example.org", "relative-link", "is relative"),
        ("javascript:alert(1)", "link-scheme", "links that begin with javascript:"),
        ("data:text/html,x", "link-scheme", "links that begin with data:"),
        ("file:///etc/passwd", "link-scheme", "links that begin with file:"),
        ("tel:+8610", "link-scheme", "Use https://, http:// or mailto:"),
        ("https://", "broken-link", "is not a valid web address"),
        ("https:example.org", "broken-link", "is not a valid web address"),
        ("https://a b.org", "broken-link", "Copy it from the browser again"),
        ("https://example..org", "broken-link", "is not a valid web address"),
        ("https://[::1", "broken-link", "is not a valid web address"),
        ("https://example.org:port/", "broken-link", "is not a valid web address"),
        ("https://example.org/<x>", "broken-link", "is not a valid web address"),
        (
            "https://unesco.org@evil.example/",
            "broken-link",
            "has a name before an @, which phishing emails use",
        ),
        ("mailto:", "broken-link", "'mailto:' has no valid email address"),
        ("mailto:office", "broken-link", "Write it as mailto:name@example.org"),
        ("http://192.0.2.1/", "numeric-link", "the link goes to the IP address 192.0.2.1"),
        ("http://2130706433/", "numeric-link", "spam filters reject"),
        ("http://0x7f.1/", "numeric-link", "Use the site's name"),
        ("http://[2001:db8::1]/", "numeric-link", "the IP address 2001:db8::1"),
        ("http://localhost/", "private-link", "the link goes to localhost"),
        ("http://intranet/", "private-link", "readers outside your network cannot reach"),
        ("http://files.local/", "private-link", "Use the public address"),
        ("http://app.internal/", "private-link", "app.internal"),
    ],
)
def test_other_links_are_refused_with_the_reason(url: str, code: str, words: str) -> None:
    fault = find_link_fault(url)
    assert fault is not None
    assert fault.code == code
    assert words in fault.reason


@given(st.text(max_size=40))
@example("http://[")
@example("http://[::]]")
@example("http://\u2100")
@example("mailto:%")
def test_no_text_raises(url: str) -> None:
    for text in (url, f"https://{url}", f"mailto:{url}"):
        find_link_fault(text)
