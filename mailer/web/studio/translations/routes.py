"""The routes of translations: the same for a story and for edition.md with its letter."""

from mailer.team.members import Permission
from mailer.web.routing import GET, POST
from mailer.web.studio.routing import StudioRoute
from mailer.web.studio.translations.exchange import (
    apply_import,
    download_word,
    download_xliff,
    preview_import,
    show_exchange,
)
from mailer.web.studio.translations.overview import show_translations
from mailer.web.studio.translations.translation_page import save_translation, show_translation

_EDITION = "/editions/{edition}"
_LANGUAGE = f"{_EDITION}/translations/{{language}}"
_TEXTS = tuple(f"{_EDITION}/{text}/translations/{{language}}" for text in ("stories/{story}", "letter"))

ROUTES: tuple[StudioRoute, ...] = (
    StudioRoute(f"{_EDITION}/translations", show_translations, GET, Permission.read),
    StudioRoute(_LANGUAGE, show_exchange, GET, Permission.read),
    StudioRoute(_LANGUAGE, preview_import, POST, Permission.write),
    StudioRoute(f"{_LANGUAGE}/apply", apply_import, POST, Permission.write),
    StudioRoute(f"{_LANGUAGE}/texts.docx", download_word, GET, Permission.read),
    StudioRoute(f"{_LANGUAGE}/texts.xlf", download_xliff, GET, Permission.read),
    *(StudioRoute(path, show_translation, GET, Permission.read) for path in _TEXTS),
    *(StudioRoute(path, save_translation, POST, Permission.write) for path in _TEXTS),
)
