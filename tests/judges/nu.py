"""The Nu HTML checker: what the standard says of the markup and the CSS, and of the language it is in."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tests.judges.complaint import Complaint, run_judge
from tests.judges.mails import Mail

_HERE = Path(__file__).parent


def judge_markup(mails: Sequence[Mail]) -> Iterator[Complaint]:
    """Judge the HTML of all ``mails`` in one run: the machine of Java takes seconds to start."""
    yield from _judge(["--filterfile", _HERE / "nu-filter.txt", *(mail.html for mail in mails)])


def judge_page_markup(files: Sequence[Path]) -> Iterator[Complaint]:
    """Judge pages and style sheets of ours, which are for browsers: nothing is passed over."""
    yield from _judge(["--also-check-css", *files])


def _judge(words: Sequence[str | Path]) -> Iterator[Complaint]:
    jar = _HERE / "node_modules/vnu-jar/build/dist/vnu.jar"
    said = run_judge(["java", "-jar", jar, "--stdout", "--exit-zero-always", "--format", "json", *words])
    for message in json.loads(said)["messages"]:
        file = Path(unquote(urlsplit(message["url"]).path))
        words = f"{message['message']} {message.get('extract', '')}".strip()
        yield Complaint(file, message.get("lastLine", 1), words)
