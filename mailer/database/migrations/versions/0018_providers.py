"""Which provider receives the mail of a domain, as the DNS said."""

revision = "0018_providers"
down_revision = "0017_feedback_mailbox"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass
