"""Files of subscribers that wait to be imported."""

revision = "0032_import_files"
down_revision = "0031_partners"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing yet."""
