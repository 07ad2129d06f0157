"""What came back: messages that wait for a judgement, replies, proposed successors, and all others."""

from mailer.web.studio.feedback import feedback_page, message_pages, successor_pages

ROUTES = (*feedback_page.ROUTES, *message_pages.ROUTES, *successor_pages.ROUTES)
