"""Pictures of our mails in real mail programs: what each needs, how it is started, and what it shows."""
