"""The demo: a newsletter from start to finish, with a built-in SMTP server and web server."""
