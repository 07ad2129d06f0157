"""What stands in the way of a launch, and the step that mends it."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import quote

from mailer.campaigns.readiness import LaunchFault, LaunchFaultKind, LaunchReadiness
from mailer.i18n import Translator, gettext_noop

_K = LaunchFaultKind
_WORDS: Mapping[LaunchFaultKind, tuple[str, str]] = MappingProxyType(
    {
        _K.segment: (gettext_noop("Nobody has chosen who gets it."), gettext_noop("Choose who gets it")),
        _K.content: (gettext_noop("The edition cannot be sent as it is."), gettext_noop("See its problems")),
        _K.sender: (
            gettext_noop("The settings do not say who sends it."),
            gettext_noop("Change the sender’s settings"),
        ),
        _K.address: (
            gettext_noop("Partners could not unsubscribe with one click."),
            gettext_noop("Change the web settings"),
        ),
        _K.audience: (gettext_noop("Nobody would get it."), gettext_noop("Choose who gets it")),
        _K.trial: (
            gettext_noop("Trial mode is on, so campaigns go to test readers alone."),
            gettext_noop("See trial mode"),
        ),
        _K.approval: (gettext_noop("It has no valid approval."), gettext_noop("See its approval")),
        _K.test: (gettext_noop("It has not been tested in this form."), gettext_noop("Send a test")),
        _K.running: (
            gettext_noop("Another campaign is already sending this edition to these partners."),
            gettext_noop("See that campaign"),
        ),
    }
)
FAULT_PATHS: Mapping[LaunchFaultKind, str] = MappingProxyType(
    {
        _K.segment: "/campaigns/{campaign}",
        _K.content: "/editions/{edition}/problems",
        _K.sender: "/settings/sender",
        _K.address: "/settings/pages",
        _K.audience: "/campaigns/{campaign}",
        _K.trial: "/trial",
        _K.approval: "/campaigns/{campaign}/approval",
        _K.test: "/campaigns/{campaign}",
        _K.running: "/campaigns",
    }
)
"""Where each of them is mended, below /studio."""


@dataclass(frozen=True, kw_only=True)
class FaultRow:
    """A fault as the page shows it: what is wrong, the details, and the page where it is mended."""

    words: str
    details: str
    act: str
    path: str


def list_faults(readiness: LaunchReadiness, translator: Translator) -> list[FaultRow]:
    """All that stands in the way of a launch."""
    return [_describe(fault, readiness, translator) for fault in readiness.faults]


def _describe(fault: LaunchFault, readiness: LaunchReadiness, translator: Translator) -> FaultRow:
    words, act = _WORDS[fault.kind]
    path = FAULT_PATHS[fault.kind].format(
        campaign=readiness.preparation.campaign_id, edition=quote(readiness.preparation.edition, safe="")
    )
    if fault.campaign_id is not None:
        path = f"/campaigns/{fault.campaign_id}/live"
    return FaultRow(
        words=translator.translate(words),
        details=fault.words,
        act=translator.translate(act),
        path=path,
    )
