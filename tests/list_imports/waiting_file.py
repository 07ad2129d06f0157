"""A file of a member that waits to be imported, and what became of it."""

from copy import copy
from datetime import datetime

from sqlalchemy import Engine
from sqlmodel import Session, func, select

from mailer.database.import_models import ImportFile
from mailer.database.team_models import Role
from mailer.list_imports.checked_file import CheckedFile, read_checked_file
from mailer.list_imports.import_files import (
    UploadWriter,
    add_import_file,
    ask_for_import,
)
from mailer.list_imports.runner import ImportRunner
from mailer.team.members import add_member
from mailer.workspace import Workspace
from subscribers.models import ImportBatch, Subscriber

MOST = 10**7
HEADER = "email,name,organisation,country,sectors,language,tags\n"


class WaitingFile:
    """One uploaded file. Each runner stands for a program."""

    def __init__(
        self, workspace: Workspace, engine: Engine, now: datetime, text: str, name: str = "list.csv"
    ) -> None:
        self.workspace, self.engine, self.now = workspace, engine, now
        writer = UploadWriter(workspace, most=MOST)
        writer.write(text.encode())
        with Session(engine) as session:
            member = add_member(session, "ann@team.example.org", "Ann", Role.author, now=now)
            self.member = member.id
            self.number = add_import_file(
                session, name=name, stored_as=writer.keep(), size=writer.size, member_id=member.id, now=now
            )
            session.commit()

    def add(self, text: str, name: str) -> "WaitingFile":
        """Another file of the same member."""
        other = copy(self)
        writer = UploadWriter(self.workspace, most=MOST)
        writer.write(text.encode())
        with Session(self.engine) as session:
            other.number = add_import_file(
                session,
                name=name,
                stored_as=writer.keep(),
                size=writer.size,
                member_id=self.member,
                now=self.now,
            )
            session.commit()
        return other

    def make_runner(self) -> ImportRunner:
        return ImportRunner(self.workspace, self.engine, clock=lambda: self.now)

    def check(self) -> CheckedFile:
        """Have the file checked, and return what was found."""
        self.make_runner().work()
        return self.checked()

    def ask(self, basis: str = "") -> None:
        version = self.row().version
        with Session(self.engine) as session:
            ask_for_import(session, self.number, version=version, member_id=self.member, basis=basis)
            session.commit()

    def checked(self) -> CheckedFile:
        return read_checked_file(self.row().result)

    def row(self) -> ImportFile:
        with Session(self.engine) as session:
            return session.get_one(ImportFile, self.number)

    def count(self) -> tuple[int, int]:
        """How many people and how many imports there are."""
        with Session(self.engine) as session:
            people = session.exec(select(func.count()).select_from(Subscriber)).one()
            return people, session.exec(select(func.count()).select_from(ImportBatch)).one()


def make_list(people: int) -> str:
    return HEADER + "".join(f"p{one}@example.org,P {one},Institute,MN,,,\n" for one in range(people))
