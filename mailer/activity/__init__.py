"""Who did what, in Studio and on the command line: written down with the act itself, and never changed."""
