"""Changes to ``mailer.toml`` that leave every other byte as it was."""
