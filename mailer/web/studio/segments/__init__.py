"""Segments: who gets what, in words and in numbers."""

from mailer.web.studio.segments import count_page

ROUTES = (*count_page.ROUTES,)
