"""Correcting a story that was sent: the note, who got the story, and the campaign that it becomes."""

from mailer.web.studio.corrections import correction_acts, correction_page, note_pages

ROUTES = (*note_pages.ROUTES, *correction_page.ROUTES, *correction_acts.ROUTES)
