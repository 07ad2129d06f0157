"""Every check of an edition's source files, and those that an edition switches off."""

import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from pydantic import ConfigDict, TypeAdapter

from editions.errors import Problem, ProblemLevel
from editions.source.document import AnyDocument, make_error
from editions.source.folder import EDITION_FILE
from editions.source.front_matter import FrontMatter
from locales.phrase import gettext_noop

CHECKS_KEY = "checks"


@dataclass(frozen=True, kw_only=True)
class Check:
    """One check. ``number`` is its place in the list of what a newsletter is checked for (1 to 39), None
    where it is about files alone. ``title`` says what is wrong, ``why`` whom it harms, ``advice`` what to do;
    each is one or more whole sentences. ``sources`` are web addresses. An ``essential`` check cannot be
    switched off."""

    __pydantic_config__ = ConfigDict(extra="forbid")

    code: str
    level: ProblemLevel
    title: str
    why: str
    advice: str
    number: int | None = None
    sources: tuple[str, ...] = ()
    essential: bool = False


def load_checks(path: Path) -> Mapping[str, Check]:
    """Return the checks in the TOML file ``path`` by code, in its order. Raise ValueError if an entry lacks a
    key, has one that checks do not have, or a level is not known."""
    entries = tomllib.loads(path.read_text(encoding="utf-8"))
    checks = {code: {"code": code, **entry} for code, entry in entries.items()}
    return MappingProxyType(TypeAdapter(dict[str, Check]).validate_python(checks))


SOURCE_CHECKS = load_checks(Path(__file__).with_name("checks.toml"))


@dataclass(frozen=True, kw_only=True)
class DisabledCheck:
    """A line below ``checks`` in edition.md: the check ``code`` is switched off because of ``reason``.
    ``problems`` are those that therefore do not count, once the checks have run."""

    code: str
    reason: str
    line: int
    problems: tuple[Problem, ...] = ()

    def __str__(self) -> str:
        number = len(self.problems)
        found = f"{number} problem{'s' if number != 1 else ''}" if number else "nothing found"
        return f"{self.code} ({found}): {self.reason}"

    def as_dict(self) -> dict[str, object]:
        """As JSON shows it; ``problems`` is how many were found."""
        return {"code": self.code, "reason": self.reason, "problems": len(self.problems)}


def read_disabled_checks(front_matter: FrontMatter) -> tuple[DisabledCheck, ...]:
    """Return the disabled checks in the front matter of ``edition.md``; none without a reason."""
    values = front_matter.value(CHECKS_KEY)
    if not isinstance(values, dict):
        return ()
    return tuple(
        DisabledCheck(
            code=code, reason=front_matter.text(CHECKS_KEY, code), line=front_matter.line_of(CHECKS_KEY, code)
        )
        for code, reason in values.items()
        if isinstance(reason, str)
    )


def check_disabled_reasons(document: AnyDocument) -> Iterator[Problem]:
    """Check that every check that is switched off has a reason, and not a blank one."""
    given = {switch.code for switch in read_disabled_checks(document.front_matter)}
    for key_path, line in document.front_matter.lines.items():
        if key_path[0] == CHECKS_KEY and len(key_path) == 2 and key_path[1] not in given:
            yield make_error(
                document,
                line,
                "check-without-reason",
                gettext_noop(
                    "`%(code)s` is switched off without a reason, and the person who approves the "
                    "campaign needs one. Write it after the code."
                ),
                code=key_path[1],
            )


def validate_disabled_checks(disabled: Iterable[DisabledCheck], checks: Mapping[str, Check]) -> list[Problem]:
    """Return a problem for each disabled check that is not one of ``checks``, or protects readers."""
    problems = []
    for switch in disabled:
        check = checks.get(switch.code)
        if check is None:
            reason = gettext_noop(
                "there is no check `%(code)s`. Write the code shown in brackets after a problem."
            ) % {"code": switch.code}
            problems.append(Problem.error(EDITION_FILE, switch.line, "unknown-check", reason))
        elif check.essential:
            reason = gettext_noop(
                "`%(code)s` protects your readers and cannot be switched off. Delete this line. Why: %(why)s"
            ) % {"code": switch.code, "why": check.why}
            problems.append(Problem.error(EDITION_FILE, switch.line, "essential-check", reason))
    return problems


def apply_disabled_checks(
    problems: Sequence[Problem], disabled: Iterable[DisabledCheck], checks: Mapping[str, Check]
) -> tuple[list[Problem], tuple[DisabledCheck, ...]]:
    """Return the ``problems`` that count, and the disabled of ``checks`` with the problems that do not."""
    results = {
        switch.code: replace(switch, problems=tuple(p for p in problems if p.code == switch.code))
        for switch in disabled
        if switch.code in checks and not checks[switch.code].essential
    }
    return [problem for problem in problems if problem.code not in results], tuple(results.values())


def merge_disabled_results(
    parts: Iterable[Collection[DisabledCheck]],
) -> tuple[DisabledCheck, ...]:
    """Return the results of several runs of checks on one edition merged, each check once, by code."""
    merged: dict[str, DisabledCheck] = {}
    for result in (result for part in parts for result in part):
        known = merged.get(result.code, result)
        merged[result.code] = replace(known, problems=tuple(sorted({*known.problems, *result.problems})))
    return tuple(merged[code] for code in sorted(merged))
