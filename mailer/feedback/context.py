"""What reading a message that came back, and acting on it, needs of its workspace."""

from dataclasses import dataclass

from sqlalchemy import Engine

from mailer.workspace import Workspace


@dataclass(frozen=True, kw_only=True)
class FeedbackContext:
    """A workspace with its open database. ``engine`` must be durable: a mailbox deletes its copy of a message
    as soon as ours is committed."""

    workspace: Workspace
    engine: Engine
