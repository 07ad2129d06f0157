"""Which text a translation was made from."""

revision = "0030_translations"
down_revision = "0029_comments"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""
