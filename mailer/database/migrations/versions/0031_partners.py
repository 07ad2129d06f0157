"""Subscribers that became one, and what finds them quickly."""

revision = "0031_partners"
down_revision = "0030_translations"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""
