"""The checks of the doctor, in the order in which they run."""

from collections.abc import Callable, Iterator

from mailer.doctor.diagnosis import Diagnosis
from mailer.doctor.dkim_checks import check_signing_keys
from mailer.doctor.dns_checks import check_dns
from mailer.doctor.feedback_checks import (
    check_alarms,
    check_fakes,
    check_incoming,
    check_reported_senders,
    check_webhooks,
)
from mailer.doctor.installation_checks import (
    check_database,
    check_files,
    check_python,
    check_sender,
    check_sign_in,
    check_space,
    check_templates,
    check_trial,
)
from mailer.doctor.message_checks import check_built_message
from mailer.doctor.public_address import check_public_pages, check_web
from mailer.doctor.relay_checks import check_relays
from mailer.workspace import Workspace

WorkspaceCheck = Callable[[Workspace], Iterator[Diagnosis]]

WORKSPACE_CHECKS: tuple[WorkspaceCheck, ...] = (
    check_files,
    check_database,
    check_space,
    check_web,
    check_public_pages,
    check_sender,
    check_trial,
    check_relays,
    check_signing_keys,
    check_dns,
    check_built_message,
    check_incoming,
    check_sign_in,
    check_alarms,
    check_reported_senders,
    check_webhooks,
    check_fakes,
    check_templates,
    check_python,
)
"""Whatever one of them finds, the others run too."""
