"""The pages of the team: who belongs to it, what each may do, and the log of who did what."""

from mailer.web.studio.team import invitation_page, log_page, member_page, team_page

ROUTES = (*team_page.ROUTES, *invitation_page.ROUTES, *member_page.ROUTES, *log_page.ROUTES)
"""Its routes. "invite" comes before the members' numbers."""
