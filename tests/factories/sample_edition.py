"""The sample edition as tests open it, and the settings of the office that publishes it."""

from pathlib import Path
from typing import Any

import editions
from mailer.settings import Settings

SAMPLE = Path(editions.__file__).parent / "samples" / "unesco-beijing-2021-2"
SECTORS = {
    "education": "Education",
    "culture": "Culture",
    "natural-sciences": "Natural sciences",
    "social-and-human-sciences": "Social and human sciences",
    "communication-and-information": "Communication and information",
}


def sample_settings(*, organisation: str = "UNESCO Beijing & partners", **more: Any) -> Settings:
    """The office's settings; ``more`` adds whole tables of mailer.toml."""
    sender = {
        "name": "UNESCO Beijing",
        "address": "news@example.org",
        "organisation": organisation,
        "postal_address": "5-15-3 Waijiaogongyu\nBeijing 100600",
    }
    web = {"base_url": "https://news.example.org"}
    return Settings.model_validate({"sender": sender, "web": web, "sectors": SECTORS, **more})
