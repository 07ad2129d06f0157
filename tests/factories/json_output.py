"""What a command prints of an object with ``--json``."""

import json
from typing import Any

from mailer.cli.output import write_json


def to_json(value: object) -> Any:
    return json.loads(json.dumps(value, ensure_ascii=False, default=write_json))
