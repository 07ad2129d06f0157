"""Checks of a finished mail: what only shows once edition, theme and renderer have met. One function per
question, cut into files by what they look at; :mod:`mailer.checks.runner` asks all of them."""
