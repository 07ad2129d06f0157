"""Who did what, in Studio and on the command line."""

revision = "0027_activity"
down_revision = "0026_sign_in"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""
