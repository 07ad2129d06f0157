"""The outbox of previews as an inbox that one can read."""

from mailer.web.studio.outbox import outbox_page

ROUTES = outbox_page.ROUTES
