"""An SMTP client that keeps its server busy and always knows which message may have arrived.

It speaks SMTP (RFC 5321) with pipelining (RFC 2920), STARTTLS, authentication and DKIM, writes Maildir
folders, and knows nothing of who sends with it::

    from mailer.smtp.connection import SmtpOptions
    from mailer.smtp.interfaces import OutgoingMessage, apply_dot_stuffing
    from mailer.smtp.transport import SmtpTransport, send_messages

    transport = SmtpTransport(SmtpOptions.from_url("smtp://127.0.0.1:2525"))
    payload = apply_dot_stuffing(b"Subject: Hello\\r\\n\\r\\nHello, Mei.\\r\\n")
    message = OutgoingMessage("m1", "news@example.org", "mei@example.org", payload)
    for key, outcome in send_messages(transport, [message]).items():
        print(key, outcome.verdict, outcome.code)

A program that sends many messages, and must know which of them may have arrived if it crashes, implements
:class:`~mailer.smtp.interfaces.MessageSource` and hands it to
:meth:`~mailer.smtp.transport.SmtpTransport.connect`.
"""
