"""All routes of importing and exporting."""

from mailer.web.studio.imports import (
    export_page,
    file_page,
    import_list,
    import_page,
    undo_page,
    upload_page,
)

ROUTES = (
    *import_list.ROUTES,
    *upload_page.ROUTES,
    *file_page.ROUTES,
    *import_page.ROUTES,
    *undo_page.ROUTES,
    *export_page.ROUTES,
)
"""Its routes. "new" comes before the imports' numbers."""
