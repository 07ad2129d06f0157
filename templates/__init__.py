"""How it looks: layouts, blocks, themes and phrases. Data, with this page around it for those who write
templates; docs/templates.md says all of it, with examples.

``email/`` holds the mail. A theme is seven files of one name: ``periodical.mjml.j2`` (the layout, MJML by way
of Jinja), ``periodical.txt.j2`` (its plain-text twin, which says the same), ``periodical.toml`` (its tokens:
colours, fonts, type scale, spaces, logo) and four style sheets. The theme ``bulletin`` shares the layout and
every block, and differs in its tokens and a few rules. ``blocks/`` holds the pieces: one per kind of story,
and the masthead, contents, letter, section head, follow-us and footer. ``words/`` holds what the mail says
besides its content, by language.

A template is given one value, ``page`` (``mailer.rendering.template_context.page.Page``): frozen, plain, every field with its
help. Asking for a field that is not there is an error, and so is MJML that is not in
``email/components.toml``.

- Everything is escaped in ``.mjml.j2``; the ``…_html`` fields are markup that is safe already.
- What differs from reader to reader is a hole, written ``{{ page.merge_tag.unsubscribe_url }}`` and never spelled
  out, or a slice between ``{{ begin("story", story.slug) }}`` and ``{{ end("story") }}``, which can be left
  out or moved. A conditional comment for Outlook must never hold such a mark.
- Begin a block with ``{{ origin("email/blocks/name.mjml.j2") }}``, so that complaints can name it.
- Sizes, spaces and colours come from tokens, so that a theme is data.
- Rules that must work everywhere stand in ``….inline.css.j2``: class selectors and plain declarations only,
  for they are written into ``style`` attributes. Media queries and dark mode stand in the other sheets.
  Whatever has a background or a colour in one appearance needs one in the other.

A workspace changes any of it with a file of the same name in its own ``templates/`` folder. Data files are
laid over ours line by line; a template there may begin with
``{% extends "shipped/email/blocks/story.mjml.j2" %}`` and change only a part.
"""

from pathlib import Path

ROOT = Path(__file__).resolve().parent
"""The folder of the templates shipped with the program."""
