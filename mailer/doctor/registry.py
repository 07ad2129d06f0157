"""The checks of the doctor, in the order in which they run."""

from collections.abc import Callable, Iterator

from mailer.doctor.database_checks import check_database, check_space
from mailer.doctor.diagnosis import Diagnosis
from mailer.doctor.dns_checks import check_dns
from mailer.doctor.fake_checks import check_fakes
from mailer.doctor.feedback_checks import (
    check_alarms,
    check_incoming,
    check_reported_senders,
    check_webhooks,
)
from mailer.doctor.file_checks import check_files
from mailer.doctor.message_checks import check_built_message
from mailer.doctor.relay_checks import check_relays
from mailer.doctor.sender_checks import check_sender, check_trial
from mailer.doctor.sign_in_checks import check_sign_in
from mailer.doctor.signing_key_checks import check_signing_keys
from mailer.doctor.system_checks import check_python, check_templates
from mailer.doctor.web_checks import check_public_pages, check_web
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
