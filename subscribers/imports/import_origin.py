"""What an import stores of itself with everybody it adds."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from subscribers.models import ConsentEvent


@dataclass(frozen=True, kw_only=True)
class ImportOrigin:
    """The import that is stored with every record it writes."""

    import_id: int
    source: str
    basis: str
    now: datetime

    @property
    def consent(self) -> dict[str, Any]:
        """What is the same in the consent records of all new subscribers."""
        return {
            "event": ConsentEvent.imported,
            "at": self.now,
            "method": "import",
            "source": self.source,
            "wording": "",
            "wording_version": "",
            "language": "",
            "basis": self.basis,
            "import_id": self.import_id,
        }
