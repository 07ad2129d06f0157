"""The data that determines how an email looks: themes, fixed phrases, and where template files are."""
