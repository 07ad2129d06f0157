"""Run by Alembic for every command: hands it our tables and the connection it was given."""

from alembic import context
from sqlmodel import SQLModel

from mailer.database import approval_models as approval_models
from mailer.database import feedback_models as feedback_models
from mailer.database import import_models as import_models
from mailer.database import launch_models as launch_models
from mailer.database import models as models
from mailer.database import report_models as report_models
from mailer.database import team_models as team_models
from mailer.database.schema import is_own_table

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    # SQLite cannot alter a column or drop a constraint; Alembic then copies the table.
    render_as_batch=True,
    compare_type=True,
    include_name=is_own_table,
)
with context.begin_transaction():
    context.run_migrations()
