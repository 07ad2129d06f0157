"""Rendering: a page and a theme become MJML, HTML and plain text. Pure, and the only way templates are run.

It loads Jinja, MRML and premailer, and runs the templates of a workspace. The program therefore calls it
through :mod:`mailer.rendering.worker.client`, in a separate process.
"""

from collections.abc import Callable
from pathlib import Path

from mailer.rendering.pipeline.css_inliner import inline_styles
from mailer.rendering.pipeline.jinja_env import (
    compile_shipped_templates,
    make_environment,
    render_template,
    track_stories,
)
from mailer.rendering.pipeline.mjml import convert_mjml, split_head, strip_origins
from mailer.rendering.template_context.page import Page, RenderedPage


def _ignore(_name: str) -> None:
    return None


def render_page(
    page: Page,
    *,
    template: str,
    overrides: Path | None,
    inline_css: str | None = None,
    on_template: Callable[[str], None] = _ignore,
) -> RenderedPage:
    """Render ``page`` with the theme ``template``; templates in the folder ``overrides`` take precedence over
    ours.

    ``inline_css`` are the rules for ``style`` attributes, from the whole email of which ``page`` is a part;
    without them, the theme's sheet is rendered.

    ``on_template`` is called with the name of each template before it is rendered, so that the caller can
    name it if the process ends there.

    Raises:
        TemplateError: a template or its output is wrong; with template, story and line.
    """
    layout, sheet, twin = (f"email/{template}.{ending}.j2" for ending in ("mjml", "inline.css", "txt"))
    markup, plain = (make_environment(overrides, markup=markup) for markup in (True, False))
    with track_stories() as trace:
        on_template(layout)
        mjml = render_template(markup, layout, page=page)
        html = convert_mjml(mjml, template=layout, marks_head=True)
        if inline_css is None:
            on_template(sheet)
            inline_css = render_template(plain, sheet, page=page)
        html = inline_styles(html, inline_css).strip() + "\n"
        on_template(twin)
        # Not plain strip(): the separators that mark fragments count as white space.
        text = render_template(plain, twin, page=page).strip(" \n") + "\n"
    beginning, html = split_head(html)
    return RenderedPage(
        mjml=strip_origins(mjml),
        html=html,
        text=text,
        beginning=beginning,
        inline_css=inline_css,
        stories_isolated=trace.stories_isolated,
    )


def warm_up() -> None:
    """Do before the first page what the libraries do on first use."""
    compile_shipped_templates()
    inline_styles("<!doctype html><html><body><p class='a'>.</p></body></html>", ".a{margin:0}")
