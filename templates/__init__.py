"""The look of emails and pages: layouts, blocks, themes and phrases. They are data; this docstring is for
people who write templates, and docs/templates.md covers everything with examples.

``email/`` has the emails. A theme is seven files with the same name: ``periodical.mjml.j2`` (the layout, MJML
through Jinja), ``periodical.txt.j2`` (the plain-text version, with the same content), ``periodical.toml``
(its tokens: colours, fonts, type scale, spacing, logo) and four style sheets. The theme ``bulletin`` shares
the layout and all blocks, and differs in its tokens and a few rules. ``blocks/`` has the parts: one per kind
of story, and the masthead, contents, letter, section heading, follow us and footer. ``words/`` has the fixed
phrases, by language.

A template is given one value, ``page`` (``mailer.rendering.template_context.page.Page``): read-only and
plain, with a help text for every field. Using a field that does not exist is an error, and so is MJML that is
not in ``email/components.toml``.

- Everything is escaped in ``.mjml.j2``; the ``…_html`` fields are safe markup.
- What differs between readers is a merge tag, always written as a field (``{{ page.merge_tag.unsubscribe_url
  }}``), or a fragment between ``{{ begin("story", story.slug) }}`` and ``{{ end("story") }}``, which can be
  left out or moved. Never put a fragment mark inside a conditional comment for Outlook.
- Start a block with ``{{ origin("email/blocks/name.mjml.j2") }}``, so that error messages can name it.
- Sizes, spacing and colours come from tokens, so that a theme is data.
- Rules that must work everywhere go in ``….inline.css.j2``: class selectors and plain declarations only,
  because they are written into ``style`` attributes. Media queries and dark mode go in the other style
  sheets. Whatever has a background or a colour in light mode needs one in dark mode.

A workspace changes any of this with a file of the same name in its own ``templates/`` folder. Data files are
merged with ours line by line; a template there can start with ``{% extends
"shipped/email/blocks/story.mjml.j2" %}`` and change only a part.
"""

from pathlib import Path

ROOT = Path(__file__).resolve().parent
"""The folder of the templates shipped with the program."""
