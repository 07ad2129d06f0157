"""From Markdown to the HTML and the plain text of an email."""
