"""Approvals: asking for one, what is asked for exactly as it was, answers, steps, and reviewers outside."""

from mailer.web.studio.approvals import acts, answers, approval_page, frozen_pages, review_pages, steps_page

ROUTES = (
    *approval_page.ROUTES,
    *acts.ROUTES,
    *answers.ROUTES,
    *steps_page.ROUTES,
    *frozen_pages.ROUTES,
    *review_pages.ROUTES,
)
