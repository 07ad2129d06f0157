"""The routes of the partners' pages. Words come before numbers, which would take them for one."""

from mailer.web.studio.partners import list_page, merge_page, partner_form, partner_page

ROUTES = (
    *list_page.ROUTES,
    *partner_form.ROUTES,
    *partner_page.ROUTES,
    *partner_page.CHANGE_ROUTES,
    *merge_page.ROUTES,
    *partner_page.DATA_ROUTES,
)
