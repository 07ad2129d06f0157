"""Run by Alembic for every command: hands it our tables and the connection it was given."""

from alembic import context
from sqlmodel import SQLModel

from mailer.database import activity_models as activity_models
from mailer.database import approval_models as approval_models
from mailer.database import click_models as click_models
from mailer.database import comment_models as comment_models
from mailer.database import count_models as count_models
from mailer.database import dmarc_models as dmarc_models
from mailer.database import feedback_models as feedback_models
from mailer.database import import_models as import_models
from mailer.database import launch_models as launch_models
from mailer.database import models as models
from mailer.database import preparation_models as preparation_models
from mailer.database import provider_models as provider_models
from mailer.database import reconfirmation_models as reconfirmation_models
from mailer.database import report_models as report_models
from mailer.database import revision_models as revision_models
from mailer.database import sign_in_models as sign_in_models
from mailer.database import team_models as team_models
from mailer.database import translation_models as translation_models
from mailer.database import verification_models as verification_models
from mailer.database.job_schema import is_own_table

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
