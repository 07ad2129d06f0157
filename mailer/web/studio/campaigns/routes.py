"""The routes of campaigns."""

from mailer.team.members import Permission
from mailer.web.routing import GET, POST
from mailer.web.studio.campaigns.campaign_list import (
    begin_campaign,
    list_campaigns,
    show_calendar,
    show_new_campaign,
)
from mailer.web.studio.campaigns.campaign_page import change_archive, discard_campaign, show_campaign
from mailer.web.studio.campaigns.decisions import (
    change_scheduled_start,
    save_options,
    save_segment,
    save_start,
    show_options,
    show_scheduled_start,
    show_segment,
    show_start,
)
from mailer.web.studio.campaigns.versions import (
    mark_version,
    send_campaign_test,
    show_tests,
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
