"""A mail server on this machine whose recipients bounce, complain, answer and leave, for rehearsals."""
