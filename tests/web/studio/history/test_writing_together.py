"""Two people and a command at one story, over a slow server: every word is somewhere a person can find it."""

import asyncio
import json
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

import pytest
from sqlmodel import Session, select
from starlette.types import ASGIApp, Receive, Scope, Send

from mailer.database.edition_models import RevisionFile, RevisionText
from mailer.database.team_models import Role
from mailer.revisions.edition_file import read_edition_file
from mailer.revisions.unsaved_texts import list_unsaved
from mailer.team.members import Member
from mailer.workspace import Workspace
from tests.revisions.conftest import EDITION, STORY, write_edition
from tests.web.site import send_request
from tests.web.studio.conftest import serve_studio
from tests.web.studio.history.conftest import WATER, Room

_COMMAND = """
import os, sys, time
path, times = sys.argv[1], int(sys.argv[2])
for count in range(times):
    text = open(path).read()
    with open(path + ".new", "w") as file:
        file.write(text.replace("The first", f"git{count}x The first"))
    os.replace(path + ".new", path)
    time.sleep(0.12)
"""


def slow_down(app: ASGIApp) -> ASGIApp:
    chance = random.Random(5)

    async def answer_late(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await asyncio.sleep(chance.uniform(0, 0.05))
        await app(scope, receive, send)

    return answer_late


@pytest.fixture
def slow_room(workspace: Workspace) -> Iterator[Room]:
    write_edition(workspace)
    with serve_studio(workspace, slow_down) as studio:
        ann, ben = (studio.add_member(Role.author, f"{name} Author") for name in ("Ann", "Ben"))
        yield Room(studio=studio, ann=ann, ben=ben)


def write_and_settle(room: Room, member: Member, name: str, *, times: int) -> list[str]:
    """Type words as a page with autosave does; where it meets another text, keep both and go on from there.
    Return the words."""
    cookie = room.studio.sign_in(member)
    headers = {
        "cookie": cookie,
        "content-type": "application/x-www-form-urlencoded",
        "sec-fetch-site": "same-origin",
        "accept": "application/json",
    }
    file = read_edition_file(room.folder, STORY)
    base, text, words = file.digest, file.text, []
    for count in range(1, times + 1):
        words.append(f"{name}{count}x")
        text = text.replace("The second", f"{words[-1]} The second")
        fields = {"base": base, "sitting": f"page-of-{name}", "sequence": str(count), "source": text}
        answer = send_request(room.studio.url, "POST", WATER, urlencode(fields).encode(), headers)
        told = json.loads(answer.text)
        if answer.status == 200:
            base = told["digest"]
            continue
        assert answer.status == 409, answer.text
        page = room.get(told["conflict"], member).text
        theirs = re.search(r'name="theirs" value="(\w+)"', page)
        choices = dict.fromkeys(re.findall(r'name="(choice-\d+)"', page), "both")
        if theirs is not None:
            room.post(told["conflict"], member, act="keep", theirs=theirs[1], **choices)
        file = read_edition_file(room.folder, STORY)
        base, text = file.digest, file.text
    return words


def test_every_word_of_two_people_and_a_command_is_kept(slow_room: Room) -> None:
    times = 8
    path = str(slow_room.folder / STORY)
    command = subprocess.Popen([sys.executable, "-c", _COMMAND, path, str(times)])
    with ThreadPoolExecutor(2) as pool:
        writers = [
            pool.submit(write_and_settle, slow_room, member, name, times=times)
            for member, name in ((slow_room.ann, "ann"), (slow_room.ben, "ben"))
        ]
        typed = [word for writer in writers for word in writer.result(timeout=120)]
    assert command.wait(timeout=120) == 0
    slow_room.save(slow_room.ann, slow_room.read() + "\nThe end.\n", sitting="the last page")
    with Session(slow_room.studio.engine) as session:
        in_history = select(RevisionText.text).where(RevisionText.id == RevisionFile.text_id)
        kept = [*session.exec(in_history), *(one.mine for one, _ in list_unsaved(session, EDITION))]
    everything = "\n".join([slow_room.read(), *kept])
    wanted = [*typed, *(f"git{count}x" for count in range(times))]
    assert [word for word in wanted if word not in everything] == []
