"""The routes of campaigns."""

from mailer.team.roles import Permission
from mailer.web.routing import GET, POST
from mailer.web.studio.campaigns.calendar_page import show_calendar
from mailer.web.studio.campaigns.campaign_acts import change_archive, discard_campaign
from mailer.web.studio.campaigns.campaign_page import show_campaign
from mailer.web.studio.campaigns.list_page import list_campaigns
from mailer.web.studio.campaigns.new_page import begin_campaign, show_new_campaign
from mailer.web.studio.campaigns.options_page import save_options, show_options
from mailer.web.studio.campaigns.reschedule_page import change_scheduled_start, show_scheduled_start
from mailer.web.studio.campaigns.segment_page import save_segment, show_segment
from mailer.web.studio.campaigns.start_page import save_start, show_start
from mailer.web.studio.campaigns.tests_page import send_campaign_test, show_tests
from mailer.web.studio.campaigns.versions_page import (
    mark_version,
    show_version,
    show_version_frame,
    show_versions,
)
from mailer.web.studio.routing import StudioRoute

_ONE = "/campaigns/{campaign}"
_VERSION = f"{_ONE}/versions/{{tag}}"

ROUTES: tuple[StudioRoute, ...] = (
    StudioRoute("/campaigns", list_campaigns, GET, Permission.read),
    # Before the page of a campaign, whose number is none of these.
    StudioRoute("/campaigns/calendar", show_calendar, GET, Permission.read),
    StudioRoute("/campaigns/new", show_new_campaign, GET, Permission.prepare),
    StudioRoute("/campaigns/new", begin_campaign, POST, Permission.prepare),
    StudioRoute(_ONE, show_campaign, GET, Permission.read),
    StudioRoute(f"{_ONE}/segment", show_segment, GET, Permission.prepare),
    StudioRoute(f"{_ONE}/segment", save_segment, POST, Permission.prepare),
    StudioRoute(f"{_ONE}/start", show_start, GET, Permission.prepare),
    StudioRoute(f"{_ONE}/start", save_start, POST, Permission.prepare),
    StudioRoute(f"{_ONE}/reschedule", show_scheduled_start, GET, Permission.launch),
    StudioRoute(f"{_ONE}/reschedule", change_scheduled_start, POST, Permission.launch),
    StudioRoute(f"{_ONE}/options", show_options, GET, Permission.prepare),
    StudioRoute(f"{_ONE}/options", save_options, POST, Permission.prepare),
    StudioRoute(f"{_ONE}/tests", show_tests, GET, Permission.prepare),
    StudioRoute(f"{_ONE}/tests", send_campaign_test, POST, Permission.prepare),
    StudioRoute(f"{_ONE}/versions", show_versions, GET, Permission.read),
    StudioRoute(_VERSION, show_version, GET, Permission.read),
    StudioRoute(f"{_VERSION}/frame", show_version_frame, GET, Permission.read),
    StudioRoute(f"{_VERSION}/seen", mark_version, POST, Permission.read),
    StudioRoute(f"{_ONE}/discard", discard_campaign, POST, Permission.prepare),
    StudioRoute(f"{_ONE}/archive", change_archive, POST, Permission.launch),
)
