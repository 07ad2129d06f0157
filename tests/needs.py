"""What a test needs beside Python and SQLite, as a marker: `-m "not browser"` leaves out all with a browser.

It is read from a test's fixtures, its parameters and what its file imports, so a new test needs no entry.
"""

from types import ModuleType
from typing import Final

import pytest

_BY_FIXTURE: Final = {
    "database": "database",
    "postgres_url": "postgres",
    "shared_chromium": "browser",
    "sqlite_template": "database",
}
_BY_IMPORT: Final = {
    "tests.acceptance.campaign_driver": "programs",
    "tests.servers.fault_injection": "programs",
    "tests.servers.forked_programs": "programs",
    "tests.servers.killable_server": "programs",
    "tests.servers.killed_launch": "programs",
}
"""``programs`` are processes of our own that a test starts in order to kill them."""


def mark_needs(item: pytest.Item) -> None:
    """Add a marker for each thing that ``item`` needs."""
    fixtures = set(getattr(item, "fixturenames", ()))
    needs = {need for fixture, need in _BY_FIXTURE.items() if fixture in fixtures}
    parameters = getattr(item, "callspec", None)
    if parameters is not None and any(
        isinstance(one, str) and one == "postgres" for one in parameters.params.values()
    ):
        needs.add("postgres")
    module = getattr(item, "module", None)
    if module is not None:
        needs |= {need for name, need in _BY_IMPORT.items() if name in _list_imports(module)}
    for need in needs:
        item.add_marker(need)


def _list_imports(module: ModuleType) -> set[str]:
    """List the modules that ``module`` imports, or imports something from."""
    if not hasattr(module, "_imports"):
        found = {getattr(value, "__module__", "") for value in vars(module).values()}
        found |= {value.__name__ for value in vars(module).values() if isinstance(value, ModuleType)}
        module._imports = found  # type: ignore[attr-defined]
    imports: set[str] = module._imports
    return imports
