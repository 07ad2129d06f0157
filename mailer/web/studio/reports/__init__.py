"""What campaigns did: the report on each, all of them over time, and their figures as files."""

from mailer.web.studio.reports import files, report_page

ROUTES = (*report_page.ROUTES, *files.ROUTES)
