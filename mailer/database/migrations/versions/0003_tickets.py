"""Waking workers on many machines: the tables of procrastinate, on PostgreSQL where it is installed.

Where it is not, `mailer work` makes them once it is.
"""

from alembic import op

from mailer.database.job_schema import create_job_tables

revision = "0003_tickets"
down_revision = "0002_dispatch"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_job_tables(op.get_bind())
