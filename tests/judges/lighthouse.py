"""Lighthouse: how fast a page is, whether everybody can use it, and whether it does what browsers advise."""

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.judges.axe import find_chromium
from tests.judges.complaint import JudgeError

CATEGORIES = ("performance", "accessibility", "best-practices")
_PROGRAM = Path(__file__).parent / "node_modules/lighthouse/cli/index.js"
_RUNS = 3
_AGAIN = "Please run Lighthouse again"
"""What it says where the browser recorded nothing, as happens on a busy machine."""

_CHROMIUM = "--headless=new --no-sandbox --disable-gpu --no-first-run --disable-background-networking"


def score_page(address: str, cookie: str = "") -> Mapping[str, int]:
    """The marks of the page at ``address``, from 0 to 100 by category, on a desk and for the first time.
    ``cookie`` is a header, such as that of somebody who is signed in.

    Raises:
        JudgeError: it ended without marks.
    """
    with tempfile.TemporaryDirectory() as folder:
        # In a file, so that the list of processes shows nobody's session.
        headers = Path(folder) / "headers.json"
        headers.write_text(json.dumps({"Cookie": cookie} if cookie else {}))
        answer = Path(folder) / "answer.json"
        command = [
            *("node", _PROGRAM, address, "--quiet", "--preset=desktop", "--no-enable-error-reporting"),
            *(f"--only-categories={','.join(CATEGORIES)}", f"--extra-headers={headers}"),
            *("--output=json", f"--output-path={answer}", f"--chrome-flags={_CHROMIUM}"),
        ]
        environment = {**os.environ, "CHROME_PATH": find_chromium()}
        for _ in range(_RUNS):
            done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            if _AGAIN not in done.stderr:
                break
        if done.returncode or not answer.is_file():
            raise JudgeError(f"lighthouse ended with {done.returncode}: {done.stderr[-2000:]}")
        given = json.loads(answer.read_bytes())
    if given["finalDisplayedUrl"] != address:
        raise JudgeError(f"lighthouse was led from {address} to {given['finalDisplayedUrl']}.")
    return {name: round(100 * (given["categories"][name]["score"] or 0)) for name in CATEGORIES}
