"""Compiles the pages' catalogues when the package is built, for the wheel and the source distribution."""

import subprocess
import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CompiledTranslations(BuildHookInterface):
    """What git does not keep and the program reads."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 (hatchling's own)
        """Compile them, and let them into the package though git ignores them."""
        subprocess.run([sys.executable, Path(self.root, "scripts/compile_translations.py")], check=True)
        build_data["artifacts"].append("/templates/locale/**/*.mo")
