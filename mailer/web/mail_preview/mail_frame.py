"""An email in a frame of a page: with a policy of its own, as text where one wants that, and its pictures."""

from html import escape
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.responses import FileResponse, HTMLResponse, Response

from mailer.web.mail_preview.query import ColourScheme, PreviewQuery
from mailer.web.page_renderer import IMAGE_HEADERS, IMAGE_TYPES
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


def show_picture(folder: Path, name: str) -> Response:
    """Show a picture of a mail, from the folder where all pictures are that are mailed, named by their
    content. Raise HTTPException 404 if there is no such picture."""
    path = folder / name
    try:
        is_there = name == path.name and "\0" not in name and path.suffix in IMAGE_TYPES and path.is_file()
    except (OSError, ValueError) as error:
        raise HTTPException(404) from error
    if not is_there:
        raise HTTPException(404)
    headers = {**IMAGE_HEADERS, "cache-control": "private, max-age=86400, immutable"}
    return FileResponse(path, media_type=IMAGE_TYPES[path.suffix], headers=headers)


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
