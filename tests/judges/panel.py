"""The panel: every judge, what each needs, and all of them at work at once."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from tests.judges.axe import judge_access
from tests.judges.complaint import Complaint
from tests.judges.html_validate import judge_habits
from tests.judges.mails import Mail
from tests.judges.mjml import judge_components
from tests.judges.nu import judge_markup
from tests.judges.packages import are_installed
from tests.judges.paper import judge_paper
from tests.judges.programs import judge_forwarding, judge_thunderbird, judge_unstyled
from tests.judges.spamassassin import judge_spam
from tests.judges.w3m import judge_parts

_OLDEST_NODE = (20, 19)
_CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


@dataclass(frozen=True, kw_only=True)
class Judge:
    """A judge: ``judge`` takes mails and complains. It works on ``shares`` of the mails at once; ``commands``
    are what it runs (any of a tuple), ``packages`` whether it is one of npm's."""

    name: str
    judge: Callable[[Sequence[Mail]], Iterable[Complaint]]
    commands: tuple[tuple[str, ...], ...]
    packages: bool = False
    shares: int = 1

    def find_missing(self) -> str:
        """What keeps this judge from judging here, in words; empty if nothing does."""
        for names in self.commands:
            if not any(map(shutil.which, names)):
                return f"there is no {names[0]}"
            if names == ("node",) and read_node_version() < _OLDEST_NODE:
                return f"node is older than {'.'.join(map(str, _OLDEST_NODE))}"
        return "its npm packages are not installed" if self.packages and not are_installed() else ""


JUDGES = (
    # The slowest first, so that none of them is alone at the end.
    Judge(name="axe", judge=judge_access, commands=(_CHROMIUM,), packages=True, shares=2),
    Judge(name="spamassassin", judge=judge_spam, commands=(("spamassassin",),), shares=4),
    Judge(name="nu", judge=judge_markup, commands=(("java",),), packages=True),
    Judge(name="paper", judge=judge_paper, commands=(_CHROMIUM, ("pdftotext",)), shares=2),
    Judge(name="forwarding", judge=judge_forwarding, commands=(_CHROMIUM,)),
    Judge(name="unstyled", judge=judge_unstyled, commands=(_CHROMIUM,)),
    Judge(name="thunderbird", judge=judge_thunderbird, commands=(_CHROMIUM,)),
    Judge(name="html-validate", judge=judge_habits, commands=(("node",),), packages=True),
    Judge(name="w3m", judge=judge_parts, commands=(("w3m",),)),
    Judge(name="mjml", judge=judge_components, commands=(("node",),), packages=True),
)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What the panel says: the complaints by judge, and who could not judge, and why."""

    complaints: Mapping[str, tuple[Complaint, ...]] = field(default_factory=dict)
    absent: Mapping[str, str] = field(default_factory=dict)

    def count(self, judge: str, mail: Mail) -> int:
        """The complaints of ``judge`` about ``mail``."""
        return sum(complaint.file in mail.files for complaint in self.complaints.get(judge, ()))


def ask_panel(mails: Sequence[Mail]) -> Verdict:
    """Have ``mails`` judged by every judge that is here, on all cores.

    Raises:
        JudgeError: a judge broke down.
    """
    absent = {judge.name: missing for judge in JUDGES if (missing := judge.find_missing())}
    present = [judge for judge in JUDGES if judge.name not in absent]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        work = {
            judge.name: [
                pool.submit(lambda share, judge=judge: list(judge.judge(share)), mails[start :: judge.shares])
                for start in range(min(judge.shares, len(mails)))
            ]
            for judge in present
        }
        complaints = {
            name: tuple(sorted({complaint for share in shares for complaint in share.result()}))
            for name, shares in work.items()
        }
    return Verdict(complaints=complaints, absent=absent)


def read_node_version() -> tuple[int, ...]:
    """The version of node that is here."""
    said = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
    return tuple(int(number) for number in said.strip().lstrip("v").split(".")[:2])
