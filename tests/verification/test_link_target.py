"""Where links lead: as browsers read them, and through gateways that rewrite them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailer.verification.content_comparison import Token, read_html_tokens, read_link, read_text_tokens


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://example.org/a?b#c", "example.org"),
        ("HTTPS://EXAMPLE.org.:443/a", "example.org"),
        ("https://news.example.org@evil.example/", "evil.example"),
        ("https://evil.example\\@news.example.org/", "evil.example"),
        ("https:/\\evil.example/x", "evil.example"),
        ("https:evil.example", "evil.example"),
        ("//evil.example/x", "evil.example"),
        ("\\\\evil.example\\x", "evil.example"),
        ("ht\ttps://ev\nil.example/", "evil.example"),
        ("https://xn--80ak6aa92e.example/", "xn--80ak6aa92e.example"),
        ("https://пример.example/", "xn--e1afmkfd.example"),
        ("https://[::1]/", "::1"),
        ("https://[bad/", "unreadable"),
        ("javascript:alert(1)", "script"),
        (" data:text/html,<b>", "script"),
    ],
)
def test_a_link_is_read_as_a_browser_reads_it(url: str, host: str) -> None:
    link = read_link(url)
    assert link is not None
    assert link.host == host


@pytest.mark.parametrize(
    "url", ["", "#top", "mailto:a@example.org", "cid:1", "page.html", "data:image/png;base64,"]
)
def test_a_link_that_leads_nowhere_else_is_none(url: str) -> None:
    assert read_link(url) is None


@pytest.mark.parametrize(
    "url",
    [
        "https://eur03.safelinks.protection.outlook.com/?url=https%3A%2F%2Fexample.org%2Fforum&data=05%7C",
        "https://www.google.com/url?q=https://example.org/forum&sa=D",
        "https://urldefense.proofpoint.com/v2/url?u=https-3A__example.org_forum&d=DwMF",
        "https://urldefense.com/v3/__https://example.org/forum__;!!abc$",
        "https://ci3.googleusercontent.com/meips/AD=s0-d-e1-ft#https://example.org/forum",
        "https://ecp.yusercontent.com/mail?url=https%3A%2F%2Fexample.org%2Fforum&t=1",
        "https://www.google.com/url?q=https%3A%2F%2Fnam.safelinks.protection.outlook.com%2F%3Furl%3D"
        "https%253A%252F%252Fexample.org%252Fforum",
    ],
)
def test_a_link_is_followed_through_the_gateways_that_rewrite_it(url: str) -> None:
    link = read_link(url)
    assert link is not None
    assert (link.host, link.path) == ("example.org", "/forum")


def hosts(tokens: list[Token]) -> set[str]:
    return {token.link.host for token in tokens if token.link}


@pytest.mark.parametrize(
    "markup",
    [
        '<a href="https://evil.example/">x</a>',
        "<A\nHREF='https://evil.example/'>x</A>",
        "<a href=https://evil.example/ >x</a>",
        '<a href="https&#58;//evil.example/">x</a>',
        '<img src="https://evil.example/p.gif">',
        '<img srcset="https://evil.example/p.gif 2x">',
        '<table background="https://evil.example/p.gif">',
        "<p style=\"background:url('https://evil.example/p.gif')\">",
        '<form action="https://evil.example/">',
        '<button formaction="https://evil.example/">',
        '<base href="https://evil.example/">',
        '<meta http-equiv="refresh" content="0; url=https://evil.example/">',
        '<!--[if mso]><a href="https://evil.example/">x</a><![endif]-->',
        "<style>p{background:url(https://evil.example/p.gif)}</style>",
        "text https://evil.example/x, and more",
        '<a href="https://evil.example/',
    ],
)
def test_no_way_to_write_a_link_hides_where_it_leads(markup: str) -> None:
    assert "evil.example" in hosts(list(read_html_tokens(f"<p>Words</p>{markup}")))


def test_words_are_the_same_however_they_are_wrapped_and_dressed() -> None:
    text = "A forum for youth: 论坛于十月 met in Xi’an on 3 October."
    html = "<p>A <b>forum</b> for\n youth:&nbsp;论坛于十月</p><div>MET in Xi&rsquo;an on 3 October.</div>"
    quoted = "> A forum for\n> youth: 论坛\n> 于十月 met in *Xi’an* on 3 October.\n"
    streams = [
        [token.word for token in tokens]
        for tokens in (read_text_tokens(text), read_html_tokens(html), read_text_tokens(quoted))
    ]
    assert streams[0] == streams[1] == streams[2]


@given(st.text(max_size=300))
def test_any_text_is_read(text: str) -> None:
    list(read_html_tokens(text))
    list(read_text_tokens(text))
    read_link(text)


@pytest.mark.parametrize(
    "piece",
    ["<", "<!--", "<style>", "<a href=", '<a href="', "&#", "https://", "<a " * 2, "url(", "-->", "\u0130"],
)
def test_half_a_megabyte_of_anything_is_read_at_once(piece: str) -> None:
    source = piece * (400_000 // len(piece))
    assert len(list(read_html_tokens(source))) <= len(source)
