"""Checks of the finished email, for what depends on edition, theme and renderer together. Each check is a
function in :mod:`mailer.checks.rules`; :mod:`mailer.checks.runner` runs all of them."""
