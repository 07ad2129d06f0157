"""Segments: who gets what, in words and in numbers."""

from mailer.web.studio.segments import saved_page, segment_page

ROUTES = (*segment_page.ROUTES, *saved_page.ROUTES)
"""Its routes. The pages of queries come before those of saved segments, none of which has such a name."""
