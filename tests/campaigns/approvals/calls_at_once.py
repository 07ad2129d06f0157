"""Calls that are made at the same moment, of which some are refused."""

import threading
from collections.abc import Callable

from mailer.campaigns.approvals.approval import ApprovalRefusedError
from mailer.campaigns.launch_faults import LaunchRefusedError


def run_together(*calls: Callable[[], object]) -> list[object]:
    """What ``calls`` return or raise, made at once."""
    found: list[object] = []

    def run(call: Callable[[], object]) -> None:
        try:
            found.append(call())
        except (LaunchRefusedError, ApprovalRefusedError) as error:
            found.append(error)

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == len(calls)
    return found
