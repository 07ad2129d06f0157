"""Numbers that take longer to count than a page may take: counted later, and shown with their time."""
