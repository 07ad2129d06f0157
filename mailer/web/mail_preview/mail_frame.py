"""An email in a frame of a page: with a policy of its own, and as text where one wants to see the text."""

from html import escape

from starlette.responses import HTMLResponse, Response

from mailer.web.mail_preview.query import ColourScheme, PreviewQuery
from mailer.web.security import make_mail_policy

# Of the same origin as the page around it, so that its pictures get the cookie of the session, and so that
# the page's script can change it without moving it. It can run nothing.
_HEADERS = {
    "content-security-policy": make_mail_policy(images="'self' data:", ancestors="'self'", own_origin=True),
}
_PLAIN_PAGE = (
    '<!doctype html><html lang="{language}"><head><meta charset="utf-8"><title>{title}</title><style>'
    ":root{{color-scheme:{scheme}}}body{{margin:24px;font:15px/23px system-ui,sans-serif;background:{back};"
    "color:{ink}}}pre{{margin:0;font:13px/20px ui-monospace,Menlo,Consolas,monospace;white-space:pre-wrap;"
    "overflow-wrap:break-word}}</style></head><body>{body}</body></html>\n"
)


def show_mail(html: str) -> Response:
    return HTMLResponse(html, headers=_HEADERS)


def show_text(text: str, query: PreviewQuery, *, title: str, language: str) -> Response:
    return _show_plain(f"<pre>{escape(text)}</pre>", query, title=title, language=language)


def show_words(words: str, query: PreviewQuery, *, title: str, language: str) -> Response:
    return _show_plain(f"<p>{escape(words)}</p>", query, title=title, language=language)


def _show_plain(body: str, query: PreviewQuery, *, title: str, language: str) -> Response:
    is_dark = query.scheme is ColourScheme.dark
    html = _PLAIN_PAGE.format(
        language=language,
        title=escape(title),
        scheme=query.scheme.value,
        back="#1b1b1a" if is_dark else "#ffffff",
        ink="#eceae4" if is_dark else "#22211f",
        body=body,
    )
    return HTMLResponse(html, headers=_HEADERS)
