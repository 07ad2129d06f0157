"""All routes of importing and exporting."""

from mailer.web.studio.imports import export_page, file_page, import_page, upload_page

ROUTES = (
    *upload_page.ROUTES,
    *import_page.ROUTES,
    *file_page.ROUTES,
    *export_page.ROUTES,
)
"""Its routes. "new" comes before the imports' numbers."""
