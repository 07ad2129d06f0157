"""The first page: what waits for the member, and the editions that were worked on lately."""

from mailer.web.studio.home import home_page

ROUTES = home_page.ROUTES
