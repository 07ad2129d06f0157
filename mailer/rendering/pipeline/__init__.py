"""From a page to HTML and plain text: Jinja, MJML, styles inlined."""
