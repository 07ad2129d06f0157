"""The routes of the partners' pages. Words come before numbers, which would take them for one."""

from mailer.web.studio.partners import (
    change_acts,
    list_page,
    merge_page,
    partner_form,
    partner_page,
    personal_data,
)

ROUTES = (
    *list_page.ROUTES,
    *partner_form.ROUTES,
    *partner_page.ROUTES,
    *change_acts.CHANGE_ROUTES,
    *merge_page.ROUTES,
    *personal_data.DATA_ROUTES,
)
