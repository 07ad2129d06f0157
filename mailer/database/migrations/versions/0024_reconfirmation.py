"""Who was asked whether they still want the newsletter."""

revision = "0024_reconfirmation"
down_revision = "0023_verification"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass
