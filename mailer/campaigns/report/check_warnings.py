"""What the checks had warned of when the content of a campaign was frozen."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class CheckWarning:
    """A warning with which an edition was sent: its ``code``, and the ``path`` and ``line`` of the edition's
    file that it is about."""

    code: str
    path: str
    line: int
    message: str

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)
