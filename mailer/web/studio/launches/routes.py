"""The routes of launching."""

from mailer.web.studio.launches import launch_acts, launch_page, trial_page

ROUTES = (*launch_page.ROUTES, *launch_acts.ROUTES, *trial_page.ROUTES)
