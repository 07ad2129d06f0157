"""Every state that a page of reports can be in, as values, and an app that shows them as the real one."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

from fastapi import FastAPI
from starlette.responses import Response

from mailer.campaigns.delivery_history import vocabulary_of
from mailer.campaigns.report.campaign_report import CampaignReport, TimeLine
from mailer.campaigns.report.departures import Departures
from mailer.database.models import CampaignState
from mailer.database.report_models import ReportPart
from mailer.dispatch.deliveries import Counts
from mailer.settings import Settings
from mailer.web.app_factory import assemble_app
from mailer.web.page_renderer import PageRenderer
from mailer.web.report_pages.campaign_page import describe_campaign
from mailer.web.report_pages.overview_page import describe_overview
from mailer.web.report_pages.section import Viewer
from mailer.web.routing import GET, Route
from mailer.web.security import PAGE_POLICY, SecurityRules
from tests.factories.reports import (
    COUNTS,
    NOW,
    make_breakdown,
    make_empty_report,
    make_figures,
    make_hand_over,
    make_report,
    make_summary,
    make_time_line,
)

LONG = "An organisation with a name of eighty characters, which somebody wrote in full!!"
CHINESE = "联合国教科文组织驻华代表处" * 6
FEW = Counts(audience=10, sent=4, rejected=1, queued=5)
ONE = Counts(audience=1, sent=1)

REPORTS: Mapping[str, CampaignReport] = {
    "full": make_report(),
    "million": make_report(scale=85),
    "long": make_report(words=LONG),
    "chinese": make_report(words=CHINESE),
    "empty": make_empty_report(make_summary(Counts(audience=0))),
    "one": make_empty_report(make_summary(ONE)),
    "draft": make_empty_report(make_summary(Counts(audience=0), state=CampaignState.draft, launched=False)),
    "sending": make_empty_report(make_summary(FEW, state=CampaignState.sending)),
    "paused": make_empty_report(
        make_summary(FEW, state=CampaignState.paused, reason="No relay answers. See `mailer doctor`.")
    ),
    "cancelled": make_empty_report(make_summary(FEW, state=CampaignState.cancelled)),
    "uncounted": replace(make_empty_report(), uncounted=frozenset(ReportPart)),
    "unbalanced": make_empty_report(make_summary(replace(COUNTS, sent=7))),
    "no sectors": replace(make_report(), breakdown=make_breakdown(sectors=())),
    "many sectors": replace(
        make_report(), breakdown=make_breakdown(sectors=tuple(f"sector-{number}" for number in range(14)))
    ),
    "at once": replace(
        make_empty_report(),
        hand_over=replace(make_hand_over(), first=0, median=0, most=0, last=0, curve=((0, 11_930),)),
    ),
    "nobody left": replace(make_report(), left=Departures(), choices=None, warnings=None, hand_over=None),
}
"""Reports by what is special about them."""

TIME_LINES: Mapping[str, TimeLine] = {
    "two hundred": make_time_line(200),
    "none": TimeLine(campaigns=(), months=()),
    "first": TimeLine(campaigns=make_figures(1), months=make_time_line(1).months[:1]),
    "long names": replace(make_time_line(1), campaigns=make_figures(30, words=LONG)),
}
"""Time lines by what is special about them."""


class ShownReports:
    """The pages of all these values, rendered."""

    def __init__(
        self,
        settings: Settings,
        *,
        reports: Mapping[str, CampaignReport] = REPORTS,
        time_lines: Mapping[str, TimeLine] = TIME_LINES,
    ) -> None:
        self._renderer = PageRenderer(settings)
        self._vocabulary = vocabulary_of(settings)
        self.pages = {
            **{f"/report/{name}": self._make_report(report) for name, report in reports.items()},
            **{f"/overview/{name}": self._make_overview(found) for name, found in time_lines.items()},
        }
        """What answers, by the path at which the app shows it."""

    def render(self, path: str) -> str:
        """The HTML of one page."""
        return bytes(self.pages[path]().body).decode()

    def render_report(self, report: CampaignReport) -> str:
        """The HTML of the page of ``report``."""
        return bytes(self._make_report(report)().body).decode()

    def create_app(self) -> FastAPI:
        """An app with every page, under the policy of the real one."""

        @asynccontextmanager
        async def do_nothing(_: FastAPI) -> AsyncIterator[None]:
            yield

        rules = SecurityRules(
            policy=PAGE_POLICY, error_page=lambda status, _: self._renderer.render_error(status)
        )
        routes: list[Route] = [(path.replace(" ", "-"), answer, GET) for path, answer in self.pages.items()]
        return assemble_app(self._renderer, rules, do_nothing, routes)

    def _make_report(self, report: CampaignReport) -> Callable[[], Response]:
        page = describe_campaign(report, now=NOW, viewer=Viewer(vocabulary=self._vocabulary))
        return lambda: self._renderer.render("report_campaign.html", page=page)

    def _make_overview(self, found: TimeLine) -> Callable[[], Response]:
        page = describe_overview(found, now=NOW)
        return lambda: self._renderer.render("report_overview.html", page=page)
