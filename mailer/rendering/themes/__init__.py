"""What dresses a mail as data: a theme's tokens, the phrases of a language, where template files are."""
