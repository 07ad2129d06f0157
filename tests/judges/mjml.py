"""MJML's own validator, on what our templates write: MRML, which converts it, passes over what is wrong."""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.judges.complaint import Complaint, run_judge
from tests.judges.mails import Mail

_HERE = Path(__file__).parent
_FAULT = re.compile(r"^Line (?P<line>\d+) of (?P<file>/.*?\.mjml) (?P<message>.*)$", re.MULTILINE)
_FAILURE = re.compile(r"^File: (?P<file>/.*\.mjml)\n(?P<message>.*)$", re.MULTILINE)


def judge_components(mails: Sequence[Mail]) -> Iterator[Complaint]:
    """Judge the MJML of all ``mails``, which variants of one edition share, in one run."""
    files = sorted({mail.mjml for mail in mails if mail.mjml})
    if not files:
        return
    said = run_judge(["node", _HERE / "node_modules/mjml/bin/mjml", "--validate", *files], accepted=(0, 1))
    for found in _FAULT.finditer(said):
        yield Complaint(Path(found["file"]), int(found["line"]), found["message"])
    for found in _FAILURE.finditer(said):
        yield Complaint(Path(found["file"]), 1, found["message"])
