"""What becomes of a message's copy once the message has been received."""

from dataclasses import dataclass

from mailer.feedback.intake import Disposition


@dataclass(frozen=True, kw_only=True)
class FolderPolicy:
    """Into which folder a message goes; a ``processed`` of "" deletes it, once it is recorded.

    In a mailbox that ``is_shared`` with people, nothing goes but what was understood.
    """

    processed: str
    quarantine: str
    is_shared: bool = False

    def find_folder(self, disposition: Disposition) -> str | None:
        """Return the folder for a message, "" to delete it, or None to leave it where it is."""
        if disposition is Disposition.settled:
            return self.processed
        is_ours = disposition is Disposition.unclear and not self.is_shared
        return self.quarantine if is_ours else None
