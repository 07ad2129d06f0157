"""The npm packages of the judges: installed here, exactly as the lock names them, and nowhere else."""

import shutil
import subprocess
from hashlib import sha256
from pathlib import Path

from tests.judges.complaint import JudgeError

_HERE = Path(__file__).parent
_STAMP = _HERE / "node_modules" / ".installed"


def are_installed() -> bool:
    """Whether the packages that the lock names are here."""
    return _STAMP.is_file() and _STAMP.read_text() == _wanted()


def install_packages() -> None:
    """Install the packages unless they are here.

    Raises:
        JudgeError: there is no npm, or it failed.
    """
    if are_installed():
        return
    if shutil.which("npm") is None:
        raise JudgeError("there is no npm, so the judges that it brings cannot be installed.")
    command = ["npm", "ci", "--loglevel=error"]
    done = subprocess.run(command, cwd=_HERE, capture_output=True, text=True, check=False)
    if done.returncode:
        raise JudgeError(f"npm ci failed in tests/judges: {done.stderr[-2000:]}")
    _STAMP.write_text(_wanted())


def _wanted() -> str:
    return sha256((_HERE / "package-lock.json").read_bytes()).hexdigest()
