"""The routes of the pages of a campaign while it is sent."""

from mailer.web.studio.live import campaign_acts, live_page, machines_page

ROUTES = (*live_page.ROUTES, *campaign_acts.ROUTES, *machines_page.ROUTES)
