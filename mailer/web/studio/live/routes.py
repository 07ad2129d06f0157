"""The routes of the pages of a campaign while it is sent."""

from mailer.web.studio.live import campaign_acts, doubts_page, live_page, machines_page

ROUTES = (*live_page.ROUTES, *campaign_acts.ROUTES, *doubts_page.ROUTES, *machines_page.ROUTES)
