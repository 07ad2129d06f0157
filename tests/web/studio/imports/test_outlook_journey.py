"""An Outlook export, dropped into Chromium, comes out right on the list; and once more without script."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from sqlmodel import Session, select

from mailer.database.team_models import Role
from subscribers.models import Subscriber
from tests.factories.exported_lists import LISTS
from tests.web.studio.conftest import Studio

OUTLOOK = {one.file: one.text for one in LISTS if one.file.startswith("outlook-")}
DROP = """([name, text]) => {
  const files = new DataTransfer();
  files.items.add(new File([text], name, { type: "text/csv" }));
  const field = document.querySelector("#file");
  field.files = files.files;
}"""


def import_list(page: Page, studio: Studio, *, drop: bool, text: str, folder: Path) -> None:
    page.goto(f"{studio.url}/imports")
    page.get_by_role("link", name="Import partners").click()
    if drop:
        page.evaluate(DROP, ["Kontakte.csv", text])
    else:
        (folder / "Kontakte.csv").write_text(text, encoding="utf-8")
        page.locator("#file").set_input_files(folder / "Kontakte.csv")
    page.get_by_role("button", name="Show what it would change").click()
    while page.get_by_role("link", name="Look again").count():
        page.get_by_role("link", name="Look again").click()
    expect(page.locator("main")).to_contain_text("Amt · Germany")
    expect(page.locator("#refused")).to_contain_text("names a mailbox inside Exchange")
    page.get_by_label("Why may you write to these people?").fill("partners of the office")
    page.get_by_role("button", name="Import 2 partners").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Import ")
    expect(page.locator("main")).to_contain_text("partners of the office")


@pytest.mark.parametrize(("language", "script"), [("german", True), ("chinese", False)])
def test_an_outlook_export_comes_out_right(
    served: Studio, browser: Browser, tmp_path: Path, language: str, script: bool
) -> None:
    ann = served.add_member(Role.author, f"Ann {language}", f"ann.{language}@team.example.org")
    text = OUTLOOK[f"outlook-{language}.csv"].replace("r.example.org", f"{language}.example.org")
    with served.browse(browser, ann, java_script_enabled=script) as page:
        import_list(page, served, drop=script, text=text, folder=tmp_path)
    with Session(served.engine) as session:
        found = session.exec(select(Subscriber).where(Subscriber.email.endswith(f"@{language}.example.org")))  # type: ignore[attr-defined]
        people = {one.email.partition("@")[0]: (one.name, one.organisation, one.country) for one in found}
    assert people == {"ulla": ("Ulla Roth", "Amt", "DE"), "ute": ("Ute Alt", "", "AT")}
