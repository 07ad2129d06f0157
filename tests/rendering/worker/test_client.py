"""A template cannot reach out of its render process, nor block, fill up or crash ours."""

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailer.errors import MailerError, TemplateError
from mailer.rendering.template_context.page import Page, RenderedPage
from mailer.rendering.worker.client import RenderWorker, render_in_worker
from mailer.rendering.worker.main import render_page
from mailer.rendering.worker.process import explain_exit, find_python
from mailer.rendering.worker.protocol import RenderLimits
from tests.paths import ROOT
from tests.rendering.small_page import lay_out_page, write_theme

CANARY = "canary-4a1f09"
PROC = pytest.mark.skipif(
    not Path("/proc/self/limits").exists(), reason="only Linux shows a process's limits"
)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    return lay_out_page(tmp_path_factory.mktemp("editions"))


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RenderWorker]:
    """One process for all tests that do not end it, as in the program."""
    with RenderWorker(readable=tmp_path_factory.getbasetemp()) as running:
        yield running


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RenderWorker]:
    """A process with a limit of one second of processor time."""
    limits = RenderLimits(cpu_seconds=1, memory_bytes=200 * 2**20)
    with RenderWorker(limits, readable=tmp_path_factory.getbasetemp()) as running:
        yield running


def _render(process: RenderWorker, page: Page, folder: Path, content: str) -> RenderedPage:
    return process.render(page, template="own", overrides=write_theme(folder, content))


def _render_error(process: RenderWorker, page: Path, folder: Path, content: str) -> str:
    with pytest.raises(TemplateError) as caught:
        _render(process, page, folder, content)
    return str(caught.value)


def _assert_works(process: RenderWorker, page: Page, folder: Path) -> None:
    assert "<p>still here</p>" in _render(process, page, folder, "<p>still here</p>").html


# --- rendering ----------------------------------------------------------------------------------------------


def test_the_worker_renders_the_same_as_our_own_process(process: RenderWorker, page: Page) -> None:
    in_worker = process.render(page, template="periodical", overrides=None)
    assert in_worker == render_page(page, template="periodical", overrides=None)
    assert in_worker == render_in_worker(page, template="periodical", overrides=None)


def test_a_theme_that_uses_stories_outside_their_fragments_is_reported(
    process: RenderWorker, page: Page, tmp_path: Path
) -> None:
    assert _render(process, page, tmp_path, "{{ page.title }}").stories_isolated
    assert not _render(process, page, tmp_path, "{{ page.sections[0].stories[0].title }}").stories_isolated


def test_an_error_in_a_template_has_the_same_text_as_in_our_own_process(
    process: RenderWorker, page: Page, tmp_path: Path
) -> None:
    own = write_theme(tmp_path, "one\n{{ page.tilte }}")
    with pytest.raises(TemplateError) as here:
        render_page(page, template="own", overrides=own)
    # The process starts with what it renders first.
    _assert_works(process, page, tmp_path)
    before = process.pid
    assert _render_error(process, page, tmp_path, "one\n{{ page.tilte }}") == str(here.value)
    assert process.pid == before


def test_a_workspace_named_by_a_relative_path_is_found(
    process: RenderWorker, page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_theme(tmp_path / "templates", "<p>near</p>")
    monkeypatch.chdir(tmp_path)
    assert "<p>near</p>" in process.render(page, template="own", overrides=Path("templates")).html


def test_a_changed_template_takes_effect_immediately(
    process: RenderWorker, page: Page, tmp_path: Path
) -> None:
    for words in ("one", "seven", "eleven"):
        assert f"<p>{words}</p>" in _render(process, page, tmp_path, f"<p>{words}</p>").html


# --- what a template must not reach -------------------------------------------------------------------------

PAYLOADS = {
    "walking classes": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "globals of a class": "{{ cycler.__init__.__globals__.os.popen('echo $((6*7))canary').read() }}",
    "globals of joiner": "{{ joiner.__init__.__globals__ }}",
    "globals of namespace": "{{ namespace.__init__.__globals__ }}",
    "globals of a function of ours": "{{ origin.__globals__['os'].environ }}",
    "code of a function": "{{ begin.__code__.co_consts }}",
    "the template itself": "{{ self.__init__.__globals__ }}",
    "the context behind it": "{{ self._TemplateReference__context.environment.loader }}",
    "what web frameworks have": "{{ request.application.__globals__ }}{{ config.items() }}",
    "attr for an attribute": "{{ ''|attr('__class__') }}",
    "attr, spelled otherwise": r"{{ ''|attr('\x5f\x5fclass\x5f\x5f') }}",
    "attr for a method (CVE-2025-27516)": "{{ ('{0.__class__.__mro__}'|attr('format'))(page) }}",
    "format": "{{ '{0.__class__.__mro__}'.format(page) }}",
    "format, indirectly (CVE-2024-56326)": "{% set write = '{0.__class__}'.format %}{{ write(page) }}",
    "format_map (PYSEC-2019-217)": "{{ '{a.__class__}'.format_map({'a': page}) }}",
    "format of markup": "{{ ('{0.__class__}'|safe).format(page) }}",
    "format over a list": "{{ ['{0.__class__}']|map('format', page)|list }}",
    "the frame of a generator": "{{ (page.sections|map(attribute='title')).gi_frame.f_globals }}",
    "the function of a macro": "{% macro m() %}{% endmacro %}{{ m._func.__globals__ }}",
    "the loop": "{% for x in [1] %}{{ loop.__init__.__globals__ }}{% endfor %}",
    "subclasses": "{{ dict.__subclasses__() }}{{ dict.mro() }}",
    "changing the page": "{{ page.__dict__.update(title='canary-4a1f09') }}",
    "changing what the page holds": "{{ page.words.sections.update({'x': 'y'}) }}",
    "setting a field": "{% set page.title = 'canary-4a1f09' %}",
    "changing a list": "{% set list = [] %}{{ list.append(1) }}",
    "importing a file": "{% import '/etc/passwd' as file %}{{ file }}",
    "including a file": "{% include '/etc/passwd' %}",
    "including a file further up": "{% include '../secret.txt' %}",
    "including by another door": "{% include 'shipped/../../mailer/errors.py' %}",
    "extending a file": "{% extends '/etc/passwd' %}",
    "an extension": "{% debug %}",
    "the page as JSON": "{{ page|tojson }}",
    "an attribute of attributes": "{{ {'x onload=y': 'z'}|xmlattr }}",
    "including MJML": "</mj-text><mj-include path='/etc/passwd' /><mj-text>",
    "an entity": "&passwd;",
}


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS.keys())
def test_a_template_that_tries_to_escape_is_refused(
    process: RenderWorker, page: Page, tmp_path: Path, payload: str
) -> None:
    (tmp_path / "secret.txt").write_text(CANARY)
    before = process.pid
    error = _render_error(process, page, tmp_path / "templates", payload)
    assert "own.mjml.j2" in error
    assert "canary" not in error.replace(payload, "")
    assert process.pid in {before, *([process.pid] if before is None else [])}


HARMLESS = {
    "an attribute by name": ("{{ [page]|map(attribute='__class__')|list }}", "[Undefined]"),
    "a file that may be missing": ("{% include ['/etc/passwd', '../secret.txt'] ignore missing %}", ""),
    "a method without underscores": ("{{ page.title.encode().decode() }}", "Partner News"),
    "its own name": ("{{ self }}", "&lt;TemplateReference &#39;email/own.mjml.j2&#39;&gt;"),
}


@pytest.mark.parametrize(("payload", "given"), HARMLESS.values(), ids=HARMLESS.keys())
def test_a_harmless_expression_yields_only_what_the_template_has(
    process: RenderWorker, page: Page, tmp_path: Path, payload: str, given: str
) -> None:
    (tmp_path / "secret.txt").write_text(CANARY)
    rendered = _render(process, page, tmp_path / "templates", f"<p>{payload}</p>")
    assert f"<p>{given}</p>" in rendered.mjml


def test_changes_made_by_a_template_do_not_reach_the_next_page(
    process: RenderWorker, page: Page, tmp_path: Path
) -> None:
    _render(process, page, tmp_path, "{% set page = namespace(title='canary') %}{{ page.title }}")
    assert "Partner News" in _render(process, page, tmp_path, "{{ page.title }}").html


# Tokens of the template language, names and pieces of MJML, in any order.
FRAGMENTS = [
    *("{{ ", " }}", "{% ", " %}", ".", "(", ")", "[", "]", ", ", "=", "~", "**", "|", '"', "\\", "\n"),
    *("for x in ", "endfor", "if ", "endif", "set ", "macro m()", "endmacro", "include ", "raw", "endraw"),
    *("page", "page.title", "self", "m()", "range(9)", "namespace(", "begin(", "attr(", "map(attribute="),
    *("__class__", "_", "0", "'x'", "'story'", "'email/own.mjml.j2'", "safe"),
    *("<p>", "</p>", "<mj-text>", "</mj-text>", "<!--", "-->", "&amp;"),
]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=12).map("".join))
def test_any_template_is_rendered_or_refused(
    process: RenderWorker, page: Page, tmp_path: Path, source: str
) -> None:
    with suppress(TemplateError):
        assert _render(process, page, tmp_path, source).html.startswith("<!DOCTYPE html>")


# --- what a template uses too much of -----------------------------------------------------------------------

LOOP = "{% for a in range(90000) %}{% for b in range(90000) %}{% endfor %}{% endfor %}"
DOUBLING = (
    "{% set n = namespace(s='x') %}{% for i in range(60) %}{% set n.s = n.s ~ n.s %}{% endfor %}{{ n.s }}"
)
TIME = r"^email/own\.mjml\.j2: rendering was stopped after 1 second of processor time"
MEMORY = r"^email/own\.mjml\.j2: rendering needed more than 200 MiB of memory"
BOMBS = {
    "loops in loops": (LOOP, TIME),
    "a text multiplied": ("{{ 'x' * 10**9 }}", MEMORY),
    "a text doubled": (DOUBLING, MEMORY),
    "a width": ("{{ '%999999999d' % 1 }}", MEMORY),
    "a long range": ("{{ range(10**9)|list }}", r"own\.mjml\.j2:1: Range too big"),
    "a macro in a circle": ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "calls or includes itself"),
    "an include in a circle": ("{% include 'email/own.mjml.j2' %}", "calls or includes itself"),
    "more than any mail": ("{{ 'x' * 5000000 }}", r"own\.mjml\.j2: the output is 5,\d+,\d+ bytes"),
    "brackets": ("{{ " + "(" * 2000 + "1" + ")" * 2000 + " }}", "calls or includes itself"),
    "loops, written out": (
        "{% for x in [1] %}" * 25 + "{% endfor %}" * 25,
        r"own\.mjml\.j2: too many statically nested blocks\.$",
    ),
}


@pytest.mark.parametrize(("bomb", "words"), BOMBS.values(), ids=BOMBS.keys())
def test_a_template_that_exceeds_a_limit_is_stopped_and_named(
    strict: RenderWorker, page: Page, tmp_path: Path, bomb: str, words: str
) -> None:
    with pytest.raises(TemplateError, match=words):
        _render(strict, page, tmp_path, bomb)
    _assert_works(strict, page, tmp_path)


@pytest.mark.parametrize("ending", ["txt", "inline.css"])
def test_the_template_that_exceeds_the_limit_is_the_one_named(
    strict: RenderWorker, page: Page, tmp_path: Path, ending: str
) -> None:
    own = write_theme(tmp_path, "x", **{ending.rpartition(".")[2].replace("txt", "text"): LOOP})
    with pytest.raises(TemplateError, match=rf"^email/own\.{ending}\.j2: rendering was stopped after"):
        strict.render(page, template="own", overrides=own)


@PROC
def test_each_page_has_the_full_time_limit(page: Page, tmp_path: Path) -> None:
    """The kernel counts a process's whole life, so each page's limit is added to what was used before."""
    busy = "{% for a in range(300) %}{% for b in range(10000) %}{% endfor %}{% endfor %}"
    with RenderWorker() as process:
        seen = set()
        while len(seen) < 2:
            _render(process, page, tmp_path, busy)
            limits = Path(f"/proc/{process.pid}/limits").read_text().splitlines()
            seen.add((process.pid, _read_limits(limits)["Max cpu time"][0]))
        assert len({number for number, _ in seen}) == 1


DEEP = {
    "wrappers": "</mj-text></mj-column></mj-section>{}<mj-section><mj-column><mj-text>".format(
        "<mj-wrapper>" * 2000 + "</mj-wrapper>" * 2000
    ),
    "sections": "</mj-text></mj-column></mj-section>{}<mj-section><mj-column><mj-text>".format(
        "<mj-section>" * 2000 + "</mj-section>" * 2000
    ),
    "raw HTML": "</mj-text><mj-raw>{}</mj-raw><mj-text>".format("<div>" * 2000 + "</div>" * 2000),
    "HTML made by a loop": (
        "{% for i in range(2000) %}<b>{% endfor %}{% for i in range(2000) %}</b>{% endfor %}"
    ),
    "just too deep": "<b>" * 97 + "</b>" * 97,
}


@pytest.mark.parametrize("content", DEEP.values(), ids=DEEP.keys())
def test_content_nested_too_deeply_is_refused(
    process: RenderWorker, page: Page, tmp_path: Path, content: str
) -> None:
    error = _render_error(process, page, tmp_path, content)
    assert error.startswith("email/own.mjml.j2:1")
    assert "is nested more than 100 levels deep" in error
    _assert_works(process, page, tmp_path)


def test_content_nested_just_below_the_limit_is_kept(
    process: RenderWorker, page: Page, tmp_path: Path
) -> None:
    deep = "<b>" * 95 + "deep" + "</b>" * 95
    assert f"{deep}</div>" in _render(process, page, tmp_path, deep).html


def test_mrml_alone_would_crash_the_process() -> None:
    """If this ever fails, MRML has been fixed."""
    program = (
        "from mjml import mjml2html\n"
        "mjml2html('<mjml><mj-body>' + '<mj-wrapper>' * 3000 + '</mj-wrapper>' * 3000 + '</mj-body></mjml>')"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True).returncode < 0


# --- when it ends -------------------------------------------------------------------------------------------


@contextmanager
def _rendering(page: Page, folder: Path) -> Iterator[tuple[int, list[str]]]:
    """A process in the middle of an endless page, and the errors that it ends with, afterwards."""
    errors: list[str] = []
    with RenderWorker(RenderLimits(cpu_seconds=60)) as process:
        _assert_works(process, page, folder)
        number = process.pid
        assert number is not None
        idle = _read_ticks(number)
        rendering = threading.Thread(target=lambda: errors.append(_render_error(process, page, folder, LOOP)))
        rendering.start()
        while _read_ticks(number) < idle + 5:
            time.sleep(0.01)
        yield number, errors
        rendering.join()
        _assert_works(process, page, folder)


def _read_ticks(number: int) -> int:
    """The processor time that process ``number`` has had, in hundredths of a second."""
    words = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()
    return int(words[11]) + int(words[12])


def _read_limits(lines: list[str]) -> dict[str, list[str]]:
    """What /proc says of a process's limits: the soft and the hard one, by name."""
    return {line[:25].strip(): line[25:].split() for line in lines}


@PROC
@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (signal.SIGSEGV, "email/own.mjml.j2: the renderer crashed (SIGSEGV)"),
        (signal.SIGABRT, "email/own.mjml.j2: the renderer crashed (SIGABRT)"),
        (signal.SIGKILL, "email/own.mjml.j2: the operating system ended the render process"),
        (signal.SIGXCPU, "email/own.mjml.j2: rendering was stopped after 60 seconds"),
    ],
    ids=["crash", "abort", "kill", "time"],
)
def test_a_render_process_that_dies_affects_only_its_page(
    page: Page, tmp_path: Path, kind: signal.Signals, words: str
) -> None:
    with _rendering(page, tmp_path) as (number, errors):
        os.kill(number, kind)
    assert errors[0].startswith(words)


def test_a_page_that_takes_too_long_is_stopped(page: Page, tmp_path: Path) -> None:
    with RenderWorker() as process:
        # Not from the start, which takes longer on a busy machine.
        _assert_works(process, page, tmp_path)
        process._limits = RenderLimits(cpu_seconds=60, wall_seconds=0.5)
        assert "own.mjml.j2: stopped after 0.5 seconds without finishing" in _render_error(
            process, page, tmp_path, LOOP
        )


def test_a_process_killed_while_idle_is_replaced(page: Page, tmp_path: Path) -> None:
    with RenderWorker() as process:
        _assert_works(process, page, tmp_path)
        first = process.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        _assert_works(process, page, tmp_path)
        assert process.pid != first


def test_a_reply_over_the_size_limit_is_invalid(page: Page, tmp_path: Path) -> None:
    with RenderWorker(RenderLimits(reply_bytes=1000)) as process:
        assert "sent an invalid reply (a text of" in _render_error(process, page, tmp_path, "x" * 2000)
        assert process.pid is None


class Poisoned:
    """Cannot be unpickled."""

    def __reduce__(self) -> tuple[type, tuple[str]]:
        return int, ("poison",)


def test_an_error_in_our_code_has_its_traceback(page: Page, tmp_path: Path) -> None:
    with RenderWorker() as process:
        with pytest.raises(RuntimeError, match=r"(?s)Traceback.*ValueError: invalid literal.*poison"):
            process.render(Poisoned(), template="own", overrides=None)  # type: ignore[arg-type]
        _assert_works(process, page, tmp_path)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (3, "ended unexpectedly \\(exit code 3\\)"),
        (-40, "crashed \\(signal 40\\)"),
        (None, "ended unexpectedly"),
    ],
)
def test_every_exit_code_has_an_explanation(code: int | None, words: str) -> None:
    with pytest.raises(TemplateError, match=words):
        raise TemplateError(explain_exit(code, RenderLimits()))


# --- starting it --------------------------------------------------------------------------------------------


def test_a_process_that_does_not_start_says_why(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    without_us = [str(Path(os.__file__).parent)]
    monkeypatch.setattr("mailer.rendering.worker.process._list_import_path", lambda: without_us)
    with RenderWorker() as process, pytest.raises(MailerError, match="No module named 'mailer'"):
        process.render(page, template="periodical", overrides=None)


def test_python_is_found_without_sys_executable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "")
    version = [find_python(), "-c", "import sys; print(*sys.version_info[:2])"]
    assert subprocess.run(version, capture_output=True, text=True).stdout.split() == [
        str(part) for part in sys.version_info[:2]
    ]
    monkeypatch.setattr(sys, "prefix", "/nowhere")
    monkeypatch.setattr(sys, "base_prefix", "/nowhere")
    with pytest.raises(MailerError, match="email is rendered in a separate Python process"):
        find_python()


def test_starting_twice_starts_one_process(page: Page, tmp_path: Path) -> None:
    with RenderWorker() as process:
        assert process.pid is None
        process.start()
        first = process.pid
        assert first is not None
        process.start()
        _assert_works(process, page, tmp_path)
        assert process.pid == first
        process.close()
        assert process.pid is None


@pytest.mark.parametrize(("number", "is_replaced"), [(24, False), (6, True)])
def test_threads_can_share_a_worker(page: Page, tmp_path: Path, number: int, is_replaced: bool) -> None:
    readable = None if is_replaced else tmp_path
    with RenderWorker(readable=readable) as process, ThreadPoolExecutor(8) as threads:
        folders = [write_theme(tmp_path / str(one), f"<p>{one}</p>") for one in range(number)]
        rendered = threads.map(
            lambda folder: process.render(page, template="own", overrides=folder).html, folders
        )
        assert all(f"<p>{one}</p>" in html for one, html in enumerate(rendered))


def _run(program: str, folder: Path) -> str:
    """What ``program`` prints; it has ``page``, and ``own`` for a theme."""
    head = (
        "import os, sys\nfrom pathlib import Path\n"
        "from mailer.rendering.worker.client import _shared_worker, render_in_worker, start_worker\n"
        "from tests.rendering.small_page import lay_out_page, write_theme\n"
        f"folder = Path({str(folder)!r})\n"
        "page, own = lay_out_page(folder), write_theme(folder, '<p>x</p>')\n"
        "def rendered(): return '<p>x</p>' in render_in_worker(page, template='own', overrides=own).html\n"
    )
    environ = {**os.environ, "MAILER_SMTP__PASSWORD": CANARY, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", head + program],
        cwd=folder, env=environ, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def test_a_forked_process_starts_its_own_worker(tmp_path: Path) -> None:
    program = (
        "rendered(); ours = _shared_worker.pid\n"
        "number = os.fork()\n"
        "if number == 0:\n"
        "    print(_shared_worker.pid, rendered(), _shared_worker.pid != ours, flush=True)\n"
        "    sys.exit()\n"
        "os.waitpid(number, 0)\n"
        "print(rendered(), _shared_worker.pid == ours)\n"
    )
    assert _run(program, tmp_path).split() == ["None", "True", "True", "True", "True"]


@PROC
def test_the_render_process_ends_with_ours(tmp_path: Path) -> None:
    for ending in ("sys.exit()", "os._exit(0)", "os.kill(os.getpid(), 9)"):
        done = subprocess.run(
            [
                sys.executable,
                "-c",
                "import os, sys\nfrom mailer.rendering.worker.client import _shared_worker\n"
                f"_shared_worker.start(); print(_shared_worker.pid, flush=True)\n{ending}",
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        number = int(done.stdout)
        deadline = time.monotonic() + 20
        while _is_running(number) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not _is_running(number), ending


def _is_running(number: int) -> bool:
    try:
        state = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


@PROC
def test_the_render_process_has_none_of_our_environment_and_few_rights(tmp_path: Path) -> None:
    program = (
        "rendered(); proc = Path(f'/proc/{_shared_worker.pid}')\n"
        "print(proc.joinpath('environ').read_bytes())\n"
        "print(os.readlink(proc / 'cwd'))\n"
        # libffi 3.5 keeps its own library open, for its trampolines.
        "maps = proc.joinpath('maps').read_text()\n"
        "files = {os.readlink(file).split(':')[0] for file in proc.joinpath('fd').iterdir()}\n"
        "print(sorted(file for file in files if not ('/libffi.so.' in file and file in maps)))\n"
        "print(proc.joinpath('limits').read_text())\n"
    )
    environ, cwd, files, *limits = _run(program, tmp_path).splitlines()
    assert CANARY not in environ
    assert "MAILER" not in environ
    assert cwd == "/"
    assert files == "['/dev/null', 'socket']"
    most = _read_limits(limits)
    assert most["Max file size"][:2] == ["0", "0"]
    assert most["Max processes"][:2] == ["0", "0"]
    assert most["Max core file size"][:2] == ["0", "0"]
    assert most["Max open files"][:2] == ["32", "32"]
    assert most["Max cpu time"][0].isdigit()
    assert most["Max address space"][0].isdigit()


def test_our_own_process_does_not_import_jinja_mrml_or_premailer(tmp_path: Path) -> None:
    program = (
        "import mailer.rendering.edition_compiler\n"
        "rendered(); print({'jinja2', 'mjml', 'premailer', 'cssutils'} & set(sys.modules))\n"
    )
    assert _run(program, tmp_path).strip() == "set()"


def test_templates_that_were_removed_and_put_back_are_read(
    process: RenderWorker, page: Page, tmp_path: Path
) -> None:
    folder = tmp_path / "templates"
    folder.mkdir()
    for error in ("one\n{{ page.tilte }}", "one\ntwo\n{{ page.sbuject }}"):
        assert "no attribute" in _render_error(process, page, folder, error)
        shutil.rmtree(folder)
        folder.mkdir()
