"""The commands of ``mailer feedback``: what came back, and what a person decides about it."""

from __future__ import annotations

import click

from mailer.cli.commands import (
    feedback_list,
    feedback_read,
    feedback_receive,
    feedback_review,
    feedback_senders,
    feedback_successors,
)


@click.group()
def feedback() -> None:
    """What comes back: bounces, complaints, automatic replies, replies, and leaving by mail."""


for _command in (
    feedback_list.list_,
    feedback_review.review,
    feedback_successors.successors,
    feedback_senders.senders,
    feedback_read.read,
    feedback_receive.receive,
):
    feedback.add_command(_command)
