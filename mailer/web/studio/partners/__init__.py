"""The partners: finding them, one of them with everything that is known, changes, merging, organisations."""

from mailer.web.studio.partners.routes import ROUTES

__all__ = ["ROUTES"]
