"""A small edition without problems, for tests to introduce one."""

from pathlib import Path

from PIL import Image

from editions.errors import Problem, ProblemLevel
from editions.reader import Inspection, inspect_edition

SECTORS = ("education", "culture", "natural-sciences")

EDITION = """\
---
title: Our newsletter
number: 2021-2
period: September to December 2021
date: 2021-12-31
language: en
subject: What we did this autumn
preheader: Forums, workshops and four campaigns, from September to December.
letter:
  title: From the Director’s desk
  name: Shahbaz Khan
  titles: [Director, Representative]
---

Dear colleagues, this was our autumn.
"""

STORY = """\
---
title: A forum for youth
sector: culture
countries: [CN, MN]
image:
  file: forum.jpg
  alt: Young people around a table
  caption: The forum in Xi’an
  credit: Illustration
read_more:
  - what: the forum in Xi’an
    url: https://example.org/forum
---

The forum met in October.
"""

EDITION_ZH = """\
---
title: 我们的通讯
subject: 今年秋天我们做了什么
preheader: 论坛、研讨会和四项联合活动：从九月到十二月的工作回顾，以及明年的计划和展望。
letter:
  title: 主任寄语
---

各位同事：这是我们的秋天。
"""

FIRST = "stories/010-youth-forum.md"
BODY = "The forum met in October."
"""The file of its story, and the text of it."""

STORY_ZH = """\
---
title: 青年论坛
image:
  alt: 围坐在桌旁的年轻人
  caption: 西安论坛
read_more:
  what: 西安论坛介绍
  url: https://example.org/zh/forum
---

论坛于十月举行。
"""


class Draft:
    """The folder of an edition. It starts with one story and no problems."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.write("edition.md", EDITION)
        self.write("stories/010-youth-forum.md", STORY)
        self.add_image("forum.jpg")

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def change(self, name: str, old: str, new: str) -> None:
        """Replace ``old``, which must occur exactly once."""
        text = (self.folder / name).read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{old!r} occurs {text.count(old)} times in {name}"
        self.write(name, text.replace(old, new))

    def add_image(self, name: str, width: int = 1184, height: int = 700) -> Path:
        path = self.folder / "images" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (width, height), "#8b3a62").save(path)
        return path

    def translate(self) -> None:
        self.write("edition.zh.md", EDITION_ZH)
        self.write("stories/010-youth-forum.zh.md", STORY_ZH)

    def inspect(self) -> Inspection:
        return inspect_edition(self.folder, sectors=SECTORS)

    def problems(self) -> tuple[Problem, ...]:
        return self.inspect().problems

    def problem(self) -> Problem:
        """Return the only problem."""
        problems = self.problems()
        assert len(problems) == 1, "\n".join(map(str, problems)) or "there are no problems"
        return problems[0]


def place(problem: Problem) -> tuple[str, int, str, ProblemLevel]:
    """Where a problem is, and which it is."""
    return problem.path, problem.line, problem.code, problem.level
