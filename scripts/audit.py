"""Ask a public database of advisories (OSV) about the versions in uv.lock: `make check` does.

Ends with 1 if one of them has a known fault. Where the database cannot be reached, or uv is too old to ask
it, it says so and ends with 0: a machine without a network must be able to run the checks.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
_SECONDS = 60


def main() -> int:
    """Ask, and return the exit code."""
    places = [os.environ.get("PATH", ""), str(ROOT / ".tools" / "bin")]
    uv = shutil.which("uv", path=os.pathsep.join(places))
    if uv is None:
        return skip("there is no uv on PATH nor in .tools")
    command = [uv, "audit", "--frozen", "--preview-features", "audit-command", "--output-format", "json"]
    # One attempt: without a network, each more would be waited for in every run of the checks.
    environ = {"UV_HTTP_RETRIES": "0", "UV_HTTP_TIMEOUT": "20", **os.environ}
    # uv trusts a list of its own, and would miss the authority of a company's proxy: see scripts/setup.
    authorities = ROOT / ".tools" / "authorities.crt"
    if authorities.exists():
        environ.setdefault("SSL_CERT_FILE", str(authorities))
    try:
        asked = subprocess.run(
            command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=_SECONDS
        )
    except subprocess.TimeoutExpired:
        return skip(f"no answer in {_SECONDS} seconds")
    if not is_answer(asked.stdout):
        lines = [line.strip() for line in asked.stderr.splitlines() if line.strip()]
        return skip(lines[-1] if lines else f"uv audit ended with {asked.returncode}")
    if asked.returncode:
        print(asked.stdout)
        print(
            "audit: a dependency has a known fault. Update it in uv.lock, and accept no older version in "
            "pyproject.toml."
        )
        return 1
    print("audit: no version in uv.lock has a known fault.")
    return 0


def is_answer(text: str) -> bool:
    """Whether uv printed a result, and not only why there is none."""
    try:
        return isinstance(json.loads(text), (dict, list))
    except ValueError:
        return False


def skip(reason: str) -> int:
    """Say that nobody was asked, which is no failure."""
    print(f"audit: not asked: {reason}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
