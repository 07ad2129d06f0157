"""Schemathesis, a third-party fuzzer, on every public page: no errors, and only documented responses."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from sqlalchemy import Engine
from starlette.responses import HTMLResponse, Response

from mailer.selfservice import mail_requests, rate_limit
from mailer.selfservice.confirmation import make_form_token
from mailer.verification import mail_check
from mailer.web.app import create_app
from mailer.web.dependencies import BodyDep, SiteDep
from mailer.web.page_renderer import TEMPLATE_FOLDER
from mailer.web.public.unsubscribe import is_one_click
from mailer.workspace import Keys, Workspace, open_workspace
from subscribers.models import Status
from subscribers.tokens import CLICK, LinkPurpose
from tests.factories.webhook_requests import post_with_password, write_settings
from tests.web.openapi_description import Described, Words, describe, list_fields
from tests.web.site import (
    add_archived_edition,
    add_counted_campaign,
    add_reader,
    issue_link_token,
    opened_engine,
    served,
    sign_click,
)

Figure = Callable[[str], None]

CHECKS = (
    *("not_a_server_error", "status_code_conformance", "content_type_conformance"),
    *("response_headers_conformance", "unsupported_method", "allow_header_conformance"),
)
EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "300"))
"""For each page: about three minutes. CONTRIBUTING.md says when to ask for more."""

MANY = 20
"""Readers for each kind of link, and copies of a form: most work once, and an erased reader is gone."""

PHASE = ("--phases", "fuzzing")
SHOWN = ("--exclude-method", "HEAD")
"""The handlers of GET answer it, and hypothesis alone asks them for it (test_routes)."""

STAFFS_OWN = {"preview.html"}
WRITTEN = re.compile(r'<(?:input|select|button)\b[^>]*\bname="([^"]+)"')


_LIMITS = {
    rate_limit: ("NETWORK", "WIDER_NETWORK"),
    mail_check: ("NETWORK", "WIDER_NETWORK", "ALL_CHECKS"),
}


@dataclass(frozen=True)
class PublicSite:
    """The public pages with readers, links and an edition, and how they are described."""

    app: FastAPI
    words: Words
    folder: Path

    def try_pages(self, *options: str) -> dict[str, Any]:
        """Run Schemathesis from its command line and read its report."""
        description, report = self.folder / "pages.json", self.folder / "report.json"
        description.write_text(json.dumps(describe(self.app, self.words)), encoding="utf-8")
        with served(self.app) as running:
            command = (
                *(sys.executable, "-m", "schemathesis.cli", "run", description, "--url", running.url),
                # Forms that are not from our own pages are refused before anything reads them.
                *("-H", "Sec-Fetch-Site: same-origin", "--checks", ",".join(CHECKS)),
                *("--generation-database", "none", "--no-color", "--warnings", "off"),
                *("--report", "json", "--report-json-path", report, *options),
            )
            told = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, check=False)
        assert report.is_file(), told.stdout + told.stderr
        return {"told": told.stdout, **json.loads(report.read_text(encoding="utf-8"))}


@pytest.fixture
def public_site(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[PublicSite]:
    # All requests come from one address and use the same forms: the first page would use up what the second
    # needs. These limits have tests of their own (test_mail_limits, test_check_limits).
    for module, names in _LIMITS.items():
        for name in names:
            limit = getattr(module, name)
            monkeypatch.setattr(module, name, replace(limit, maximum=1_000_000))
    monkeypatch.setattr(rate_limit.MailLimiter, "use_form", lambda *_, **__: True)
    write_settings(workspace.root)
    sign_up_workspace = open_workspace(workspace.root, environ={"MAILER_WEB__SIGN_UP": "true"})
    with opened_engine(sign_up_workspace) as engine:
        image = add_archived_edition(sign_up_workspace, engine).images[0]
        words = {**collect_links(engine, sign_up_workspace.keys), **ON_THE_SHELF, "name": (image.name,)}
        # To one of our own pages: what follows it must not leave this machine.
        words[CLICK] = [sign_click(sign_up_workspace, add_counted_campaign(engine, ("/e/",)))]
        words["authorization"] = (post_with_password([]).headers["authorization"], "Basic Og==")
        yield PublicSite(app=create_app(sign_up_workspace), words=words, folder=tmp_path)


ON_THE_SHELF: Words = {
    "slug": ("2021-2",),
    "language": ("en",),
    "ending": ("atom", "json"),
    "axis": ("sector", "country"),
    "about": ("culture", "MN"),
    "number": ("1", "2"),
}


def collect_links(engine: Engine, keys: Keys) -> dict[str, list[str]]:
    """Genuine links of every kind, to readers of every status, and the stamps of forms a minute old."""
    links: dict[str, list[str]] = {purpose: [] for purpose in LinkPurpose}
    for status in Status:
        links[LinkPurpose.subscription].append(
            add_reader(engine, keys, f"{status}@example.org", status=status, name="Mei")
        )
    for purpose in LinkPurpose:
        status = Status.pending if purpose is LinkPurpose.confirm else Status.active
        for number in range(MANY if purpose.is_mailed else 0):
            email = f"{purpose}{number}@example.org"
            add_reader(engine, keys, email, status=status)
            links[purpose].append(issue_link_token(engine, keys, email, purpose, detail=f"new.{email}"))
    a_minute_ago = datetime.now(UTC) - timedelta(minutes=1)
    return {**links, "stamp": [make_form_token(keys.suppression, a_minute_ago) for _ in range(MANY)]}


def judge(report: dict[str, Any]) -> None:
    """Check that nothing was found, and that every page and every form was tested."""
    assert report["failures"] == [], report["told"]
    assert report["errors"] == [], report["told"]
    assert report["complete"]
    assert report["operations"]["tested"] == report["operations"]["selected"] > 35
    assert report["test_cases"]["with_failures"] == 0


@pytest.mark.spare
def test_schemathesis_breaks_no_page(public_site: PublicSite) -> None:
    judge(public_site.try_pages(*PHASE, "--max-examples", "12", *SHOWN))


@pytest.mark.soak
def test_schemathesis_breaks_no_page_with_many_examples(public_site: PublicSite, figure: Figure) -> None:
    report = public_site.try_pages("--max-examples", str(EXAMPLES), *SHOWN)
    judge(report)
    forms = {name: rate for name, rate in list_accepted(report).items() if name.startswith("POST ")}
    assert all(forms.values()), f"a form that nothing got through: {forms}"
    figure(
        f"Schemathesis {report['schemathesis_version']} on {report['operations']['tested']} pages and forms: "
        f"{report['test_cases']['generated']:,} requests, {sum(forms.values()):,} forms accepted, "
        f"0 server errors, 0 answers of another kind or status than described"
    )


def list_accepted(report: dict[str, Any]) -> dict[str, int]:
    """How many requests each page took, by its method and path."""
    rates = report["valid_rates"].items()
    return {name: sum(phase["accepted"] for phase in phases.values()) for name, phases in rates}


def break_on_a_foreign_word(word: str = "") -> Response:
    return HTMLResponse(word.encode("ascii"))


def break_on_a_genuine_form(site: SiteDep, token: str, body: BodyDep) -> Response:
    mail_requests.read_link_summary(site.engine, site.workspace.keys, token, LinkPurpose.erase)
    return HTMLResponse(f"{1 // (not is_one_click(body))}")


def answer_in_another_kind() -> Response:
    return Response("{}", media_type="application/json")


@pytest.mark.parametrize(
    ("path", "method", "answer", "title"),
    [
        ("/planted", "GET", break_on_a_foreign_word, "Server error"),
        ("/d/erase/{token}/planted", "POST", break_on_a_genuine_form, "Server error"),
        ("/planted", "GET", answer_in_another_kind, "Undocumented Content-Type"),
    ],
)
def test_a_page_that_breaks_is_found(
    public_site: PublicSite, path: str, method: str, answer: Callable[..., Response], title: str
) -> None:
    public_site.app.add_api_route(path, answer, methods=[method], response_model=None)
    report = public_site.try_pages("--include-path", path, *PHASE, "--max-examples", "200", "--no-shrink")
    assert report["exit_code"] == 1
    assert f"{method} {path}" in report["told"]
    assert title in report["told"]


def test_every_form_of_the_templates_is_described(public_site: PublicSite) -> None:
    pages = [
        page
        for page in TEMPLATE_FOLDER.rglob("*.html")
        if page.name not in STAFFS_OWN and page.parent.name != "studio"
    ]
    written = {name for page in pages for name in WRITTEN.findall(page.read_text(encoding="utf-8"))}
    assert {"wish", "stamp", "follow"} <= written
    assert written <= set(list_fields(public_site.words))


def test_every_link_in_a_path_has_genuine_words(public_site: PublicSite) -> None:
    described: Described = describe(public_site.app, public_site.words)
    operations = [(path, each) for path, methods in described["paths"].items() for each in methods.values()]
    tokens = [
        (path, parameter["schema"])
        for path, operation in operations
        for parameter in operation["parameters"]
        if parameter["name"] == "token"
    ]
    assert len(tokens) > 30
    assert [path for path, schema in tokens if "enum" not in schema] == []
