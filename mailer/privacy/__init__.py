"""A person's data: exporting it, erasing it, and keeping it no longer than needed."""
