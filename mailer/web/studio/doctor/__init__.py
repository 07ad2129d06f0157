"""The doctor: whether mail will arrive and be believed, and the records to publish for that."""

from mailer.web.studio.doctor import doctor_page

ROUTES = doctor_page.ROUTES
