"""Why a mail server returned a message, in the words that decide what happens to the subscriber."""

from mailer.database.feedback_models import Reason

__all__ = ["Reason"]
