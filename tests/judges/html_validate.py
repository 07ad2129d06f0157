"""html-validate: what the standard allows and yet trips people up, from doubled classes to empty headings."""

import json
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.judges.complaint import Complaint, run_judge
from tests.judges.mails import Mail

_HERE = Path(__file__).parent


def judge_habits(mails: Sequence[Mail]) -> Iterator[Complaint]:
    """Judge the HTML of all ``mails`` in one run."""
    yield from _judge([mail.html for mail in mails], _HERE / "html-validate.config.mjs")


def judge_page_habits(files: Sequence[Path]) -> Iterator[Complaint]:
    """Judge pages of ours, which are for browsers, by all that it recommends."""
    yield from _judge(files, _HERE / "html-validate.pages.mjs")


def _judge(files: Sequence[Path], config: Path) -> Iterator[Complaint]:
    with tempfile.TemporaryDirectory() as folder:
        # Into a file, because the program ends before a pipe has taken more than its 64 kB.
        answer = Path(folder) / "answer.json"
        run_judge(
            [
                *("node", _HERE / "node_modules/html-validate/bin/html-validate.mjs"),
                *("--config", config, "--formatter", f"json={answer}"),
                *files,
            ],
            accepted=(0, 1),
        )
        results = json.loads(answer.read_bytes())
    for result in results:
        for message in result["messages"]:
            yield Complaint(
                Path(result["filePath"]), message["line"], f"{message['ruleId']}: {message['message']}"
            )
