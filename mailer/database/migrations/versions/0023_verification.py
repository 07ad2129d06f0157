"""Mail that claims to be from us and is not."""

revision = "0023_verification"
down_revision = "0022_dmarc"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass
