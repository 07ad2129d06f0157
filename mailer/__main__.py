"""``python -m mailer``, and the console script ``mailer``."""

from mailer.cli import mailer


def main() -> None:
    """Run the command line; the process exits with its code."""
    mailer(prog_name="mailer")


if __name__ == "__main__":
    main()
