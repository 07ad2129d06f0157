"""What the providers of the readers ask of a sender, beside what the other checks have found."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy.exc import SQLAlchemyError

from locales.phrase import FURTHER, Phrase, join_sentences
from mailer.doctor.diagnosis import Diagnosis, Health, find_doubtful, find_good
from mailer.errors import ConfigurationError, MailerError
from mailer.providers.provider_directory import Audience, ProviderAudience, read_audience
from mailer.providers.provider_table import Level, Requirement
from mailer.workspace import Workspace

_SUBJECT = "providers"
_SUBJECTS = {
    Requirement.spf: "spf",
    Requirement.dkim: "dkim",
    Requirement.dmarc: "dmarc",
    Requirement.alignment: "alignment",
    Requirement.ptr: "ptr",
    Requirement.from_domain: "mx",
}
# Findings that are only doubtful, and still mean that a provider does not get what it asks for.
_MISSING = {
    Requirement.spf: ("spf-missing", "spf-several", "spf-syntax", "spf-relay-missing"),
    Requirement.dkim: ("dkim-record-missing", "dkim-key-revoked", "dkim-key-differs"),
    Requirement.dmarc: ("dmarc-missing", "dmarc-several", "dmarc-syntax"),
    Requirement.ptr: ("ptr-missing", "ptr-unconfirmed"),
    Requirement.tls: ("relay-unencrypted",),
    Requirement.from_domain: ("mx-missing", "mx-null", "mx-without-address"),
    Requirement.one_click: ("web-not-https", "web-on-this-machine"),
}


class DemandState(StrEnum):
    """Whether a provider gets what it asks for."""

    met = "met"
    """The checks have found that it does."""

    missing = "missing"
    """The checks have found that it does not."""

    unknown = "unknown"
    """No check can tell, or none could run: a person has to know."""


@dataclass(frozen=True, kw_only=True)
class Demand:
    """What one provider asks for: each requirement with its level and whether it is met."""

    audience: ProviderAudience
    marks: Mapping[Requirement, tuple[Level, DemandState]]

    def list_missing(self, level: Level) -> list[Requirement]:
        """Return what it asks for on this level and does not get."""
        return [each for each, found in self.marks.items() if found == (level, DemandState.missing)]


def check_providers(workspace: Workspace, findings: Sequence[Diagnosis]) -> Iterator[Diagnosis]:
    """Yield a finding for each provider that requires something which ``findings`` say is missing."""
    demands = read_demands(workspace, findings)
    lacking = [demand for demand in demands if demand.list_missing(Level.required)]
    for demand in lacking:
        provider, readers = demand.audience.provider, demand.audience.readers
        wanted = join_sentences([Phrase(each.label) for each in demand.list_missing(Level.required)], FURTHER)
        page = Phrase("See %(page)s.", page=provider.postmaster) if provider.postmaster else ""
        message = Phrase(
            "%(provider)s, with %(readers)s of your readers, requires what is missing: %(wanted)s. Mend "
            "what is said about it above.",
            provider=provider.name,
            readers=f"{readers:,}",
            wanted=wanted,
        )
        yield find_doubtful(_SUBJECT, "provider-asks", join_sentences([message, page]))
    if demands and not lacking:
        yield find_good(
            _SUBJECT,
            Phrase(
                "the %(number)s providers of your readers require nothing that is known to be missing",
                number=len(demands),
            ),
        )


def read_demands(workspace: Workspace, findings: Sequence[Diagnosis]) -> tuple[Demand, ...]:
    """Return what the providers of the active subscribers ask for; empty if the list cannot be read."""
    try:
        with (
            workspace.use_database() as engine,
            engine.connect().execution_options(read_only=True) as connection,
        ):
            audience = read_audience(connection, uses_cache=workspace.settings.dns.look_up_providers)
    except (SQLAlchemyError, MailerError, ConfigurationError, OSError):
        # The check of the database says so.
        return ()
    return compare_demands(audience, judge_requirements(findings, workspace))


def compare_demands(audience: Audience, met: Mapping[Requirement, bool]) -> tuple[Demand, ...]:
    """Compare what providers ask for with what is ``met``; a requirement that is not in it is unknown."""
    marks = {True: DemandState.met, False: DemandState.missing, None: DemandState.unknown}
    return tuple(
        Demand(
            audience=each,
            marks={
                ask.requirement: (ask.level, marks[met.get(ask.requirement)]) for ask in each.provider.asks
            },
        )
        for each in audience.providers
        if each.provider.asks
    )


def judge_requirements(findings: Sequence[Diagnosis], workspace: Workspace) -> dict[Requirement, bool]:
    """Return which requirements ``findings`` say are met or missing; no others are in it."""
    codes = {finding.code for finding in findings}
    # Every mail has the link, and the header where the pages are public.
    met = {Requirement.unsubscribe_link: True}
    met[Requirement.one_click] = not codes.intersection(_MISSING[Requirement.one_click])
    met[Requirement.unsubscribe_mailto] = bool(workspace.settings.feedback.leave_address)
    for requirement, subject in _SUBJECTS.items():
        found = [finding.verdict for finding in findings if finding.subject == subject]
        if Health.bad in found or codes.intersection(_MISSING.get(requirement, ())):
            met[requirement] = False
        elif Health.good in found:
            met[requirement] = True
    if codes.intersection(_MISSING[Requirement.tls]):
        met[Requirement.tls] = False
    return met
