"""What the readers' providers ask for, beside what the doctor has found."""

import io
from collections.abc import Sequence

import pytest
from rich.console import Console

from mailer.cli.rich_tables import print_demands
from mailer.doctor.diagnosis import Diagnosis, find_bad, find_doubtful, find_good
from mailer.doctor.provider_checks import DemandState, check_providers, read_demands
from mailer.providers.provider_table import Level, Requirement
from mailer.workspace import Workspace
from tests.factories.deliveries import add_subscribers

_GOOD = [find_good(each, "fine") for each in ("spf", "dkim", "dmarc", "alignment", "ptr", "mx")]


@pytest.fixture
def listed(workspace: Workspace) -> Workspace:
    engine = workspace.open_database()
    add_subscribers(engine, [f"a{each}@gmail.com" for each in range(7)] + ["b@naver.com", "c@example.org"])
    engine.dispose()
    return workspace


def without(subject: str, *findings: Diagnosis) -> Sequence[Diagnosis]:
    return [*(finding for finding in _GOOD if finding.subject != subject), *findings]


def test_all_that_is_met_is_ticked_and_what_no_check_can_tell_is_open(listed: Workspace) -> None:
    google, naver = read_demands(listed, _GOOD)
    assert (google.audience.provider.key, google.audience.readers) == ("google", 7)
    assert naver.audience.provider.key == "naver"
    assert google.marks[Requirement.dkim] == (Level.required, DemandState.met)
    assert google.marks[Requirement.tls] == (Level.required, DemandState.unknown)
    assert google.marks[Requirement.few_complaints] == (Level.required, DemandState.unknown)
    (finding,) = check_providers(listed, _GOOD)
    assert finding.verdict == "good"


@pytest.mark.parametrize(
    ("finding", "requirement", "label"),
    [
        (find_bad("dmarc", "dmarc-missing", "none"), Requirement.dmarc, "DMARC"),
        (find_doubtful("dkim", "dkim-record-missing", "none"), Requirement.dkim, "DKIM"),
        (find_bad("alignment", "alignment-dkim", "no"), Requirement.alignment, "alignment with From"),
        (find_doubtful("ptr", "ptr-missing", "none"), Requirement.ptr, "PTR"),
        (find_doubtful("web", "web-not-https", "http"), Requirement.one_click, "one-click"),
        (find_doubtful("relay", "relay-unencrypted", "open"), Requirement.tls, "TLS"),
    ],
)
def test_what_is_missing_is_named_with_the_provider_that_requires_it(
    listed: Workspace, finding: Diagnosis, requirement: Requirement, label: str
) -> None:
    findings = without(finding.subject, finding)
    google = read_demands(listed, findings)[0]
    assert google.marks[requirement] == (Level.required, DemandState.missing)
    told = [each for each in check_providers(listed, findings) if "Gmail" in each.message]
    assert [each.code for each in told] == ["provider-asks"]
    assert "7 of your readers" in told[0].message
    assert label in told[0].message


def test_a_policy_that_only_watches_is_a_record(listed: Workspace) -> None:
    findings = without(
        "dmarc", find_good("dmarc", "there"), find_doubtful("dmarc", "dmarc-policy-none", "p=none")
    )
    assert read_demands(listed, findings)[0].marks[Requirement.dmarc] == (Level.required, DemandState.met)


def test_nothing_is_said_without_a_list_or_without_a_database(workspace: Workspace) -> None:
    assert list(check_providers(workspace, _GOOD)) == []
    (workspace.root / "mailer.db").unlink()
    assert list(check_providers(workspace, _GOOD)) == []


def test_the_table_shows_a_mark_for_each_demand(listed: Workspace) -> None:
    paper = io.StringIO()
    findings = without("dmarc", find_bad("dmarc", "dmarc-missing", "none"))
    print_demands(read_demands(listed, findings), console=Console(file=paper, width=100))
    google = next(line for line in paper.getvalue().splitlines() if line.startswith("Gmail"))
    assert google.split()[-9:] == ["✓", "✓", "✗", "✓", "✓", "?", "·", "✓", "·"] or "✗" in google
    assert "recommended" in paper.getvalue()
