"""Where incoming mail waits for us: an IMAP mailbox or a Maildir."""
