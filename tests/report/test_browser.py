"""report.html in a headless Chromium: sorting, filtering, the keyboard, narrow screens, and no request to anywhere."""

import csv
import json
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from atelier.report.write import write_report

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        not (shutil.which("chromium") and shutil.which("chromedriver")),
        reason="chromium and chromedriver are not installed: make test-browser",
    ),
]
EVIL = "<img src=x onerror=alert(1)> & \"'"
CLAIM = {"says": f"The middle one. {EVIL}", "where": "ours", "seen": EVIL, "verdict": "confirmed"}


@pytest.fixture(scope="module")
def report(made_up_sweep: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five settings; a run of the second best failed with a message that would be a script if it were not escaped."""

    def change(values: dict[str, str], seed: int) -> dict[str, Any]:
        failed = values["optimizer.lr"] == "0.3" and seed == 1
        return {"status": "failed", "error": {"type": "RuntimeError", "message": EVIL}} if failed else {}

    levels = {"0.001": 0.1, "0.02": 0.3, "0.1": 0.9, "0.3": 0.8, "10": 0.5}
    sweep = made_up_sweep(
        tmp_path_factory.mktemp("sweep") / "s",
        {"optimizer.lr": list(levels)},
        lambda values, seed: [0.05, levels[values["optimizer.lr"]] - seed / 100],
        seeds=(0, 1),
        change=change,
        study="a_study",
        presentation={"question": f"Which? {EVIL}", "claims": [CLAIM]},
    )
    write_report([sweep])
    return sweep / "report.html"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = str(shutil.which("chromium"))
    for argument in (
        "headless=new",
        "no-sandbox",
        "disable-gpu",
        "disable-dev-shm-usage",
        "disable-background-networking",
        "window-size=1280,900",
    ):
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options, Service(shutil.which("chromedriver")))
    yield driver
    driver.quit()


@pytest.fixture
def page(browser: Any, report: Path) -> Any:
    """The report, freshly opened in a wide window."""
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.get(report.as_uri())
    return browser


def column(page: Any, table: str, number: int) -> list[str]:
    """The texts of a column's shown cells, from top to bottom."""
    return page.execute_script(
        "return [...document.querySelectorAll(`#${arguments[0]} tbody tr:not([hidden])`)]"
        ".map((row) => row.cells[arguments[1]].innerText.trim())",
        table,
        number,
    )


def heading(page: Any, table: str, number: int) -> Any:
    return page.find_elements("css selector", f"#{table} thead th")[number]


def type_into(page: Any, table: str, text: str) -> None:
    page.find_element("id", f"{table}-filter").send_keys(text)


BY_VALUE = ["0.1", "0.3", "10", "0.02", "0.001"]


def test_the_best_setting_comes_first_and_an_incomplete_one_last(page: Any) -> None:
    assert column(page, "settings", 0) == ["0.1", "10", "0.02", "0.001", "0.3"]
    assert column(page, "settings", 1)[0] == "0.8950 ± 0.0071"


def test_a_heading_sorts_by_number_up_and_down(page: Any) -> None:
    lr = heading(page, "settings", 0)
    lr.find_element("tag name", "button").click()
    assert column(page, "settings", 0) == ["0.001", "0.02", "0.1", "0.3", "10"]
    assert lr.get_attribute("aria-sort") == "ascending"
    lr.find_element("tag name", "button").click()
    assert column(page, "settings", 0) == ["10", "0.3", "0.1", "0.02", "0.001"]
    assert lr.get_attribute("aria-sort") == "descending"
    heading(page, "settings", 1).find_element("tag name", "button").click()
    assert column(page, "settings", 0) == BY_VALUE[::-1]
    assert lr.get_attribute("aria-sort") == "none"


def test_a_heading_is_reached_and_pressed_by_keyboard(page: Any) -> None:
    from selenium.webdriver import ActionChains, Keys

    page.find_element("id", "settings-filter").click()
    ActionChains(page).send_keys(Keys.TAB, Keys.TAB, Keys.TAB, Keys.ENTER).perform()  # past the link and the scrolling
    assert heading(page, "settings", 0).get_attribute("aria-sort") == "ascending"
    ActionChains(page).send_keys(Keys.SPACE).perform()
    assert heading(page, "settings", 0).get_attribute("aria-sort") == "descending"


def test_words_sort_too(page: Any) -> None:
    status = [th.text for th in page.find_elements("css selector", "#runs thead th")].index("status")
    heading(page, "runs", status).find_element("tag name", "button").click()
    assert [text.split()[0] for text in column(page, "runs", status)] == ["completed"] * 9 + ["failed"]


def test_the_values_of_runs_sort_by_number(page: Any) -> None:
    """0.02 is less than 0.1, though 2 is more than 1."""
    index = [th.text for th in page.find_elements("css selector", "#runs thead th")].index("learning rate")
    heading(page, "runs", index).find_element("tag name", "button").click()
    assert list(dict.fromkeys(column(page, "runs", index))) == ["0.001", "0.02", "0.1", "0.3", "10"]


def test_the_filter_keeps_the_rows_that_hold_every_word(page: Any) -> None:
    type_into(page, "runs", "failed 0.3")
    assert len(column(page, "runs", 0)) == 1
    assert page.find_element("css selector", "#runs output").text == "1 of 10 shown"
    assert len(column(page, "settings", 0)) == 5, "the other table is left alone"
    type_into(page, "runs", " nothing")
    assert column(page, "runs", 0) == []
    page.find_element("id", "runs-filter").clear()
    type_into(page, "runs", " ")
    assert len(column(page, "runs", 0)) == 10


def test_the_filter_takes_no_number_for_another(page: Any) -> None:
    type_into(page, "settings", "0.001")
    assert column(page, "settings", 0) == ["0.001"]
    page.find_element("id", "settings-filter").clear()
    type_into(page, "settings", "001")
    assert column(page, "settings", 0) == []


def test_the_shown_rows_are_downloaded_as_csv_in_their_order(page: Any, tmp_path: Path) -> None:
    page.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    heading(page, "runs", 2).click()
    type_into(page, "runs", "failed")
    page.find_element("css selector", "#runs a[download]").click()
    file = tmp_path / "runs.csv"
    for _ in range(100):
        if file.exists():
            break
        time.sleep(0.05)
    head, *rows = csv.reader(file.read_text(encoding="utf-8-sig").splitlines())
    assert head[:4] == ["run", "status", "learning rate", "seed"]
    assert [row[1][:6] for row in rows] == ["failed"]
    assert EVIL in rows[0][1]


def test_every_control_has_a_name(page: Any) -> None:
    for control in page.find_elements("css selector", "input, button, a, img, summary, [role=region]"):
        assert control.accessible_name, control.get_attribute("outerHTML")


def test_the_figures_are_shown_and_told_in_words(page: Any) -> None:
    images = page.find_elements("tag name", "img")
    assert len(images) == 3
    for image in images:
        assert page.execute_script("return arguments[0].complete && arguments[0].naturalWidth > 100", image)
    assert "0.1: 0.8950 ± 0.0071 (2)" in images[2].get_attribute("alt")


def test_the_pointer_finds_the_setting_the_seed_and_the_value_of_a_point(page: Any) -> None:
    from selenium.webdriver import ActionChains

    figure = page.find_element("css selector", "figure:has(img[alt*='against'])")
    points = json.loads(figure.get_attribute("data-points"))
    image = figure.find_element("css selector", "img")
    (x, y, words), *_ = [point for point in points if "seed 1" in point[2] and "0.1" in point[2]]
    page.execute_script("arguments[0].scrollIntoView({ block: 'center' })", image)
    width, height, edge = image.size["width"], image.size["height"], 8
    across, down = (x - 0.5) * (width - 2 * edge), (y - 0.5) * (height - 2 * edge)
    ActionChains(page).move_to_element_with_offset(image, round(across), round(down)).perform()
    tip = figure.find_element("css selector", ".tip")
    assert tip.text == words == "learning rate 0.1, seed 1, 0.89"
    ActionChains(page).move_to_element_with_offset(image, -width // 2 + 1, -height // 2 + 1).perform()
    assert not tip.is_displayed()


def test_every_run_tells_what_it_was(page: Any, report: Path) -> None:
    rows = page.find_elements("css selector", "#runs tbody tr")
    assert len(rows) == 10
    rows[0].find_element("tag name", "summary").click()
    for fact in ("optimizer.lr=0.001 seed=0", "torch 2.15.0", "0123456789abcdef", "completed"):
        assert fact in rows[0].text
    link = rows[3].find_element("tag name", "a")
    assert link.get_attribute("href") == f"{report.parent.as_uri()}/3/"
    assert link.get_dom_attribute("href") == "3/"


def test_what_runs_say_is_text(page: Any) -> None:
    assert f"Which? {EVIL}" in page.find_element("tag name", "header").text
    page.execute_script("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    assert page.find_element("id", "runs").text.count(f"RuntimeError: {EVIL}") == 2, "in short, and in its details"


def test_nothing_is_asked_for_and_nothing_goes_wrong(browser: Any, report: Path) -> None:
    for kind in ("performance", "browser"):
        browser.get_log(kind)  # what earlier tests left
    browser.get(report.as_uri())
    for button in browser.find_elements("css selector", "th button"):
        button.click()
    type_into(browser, "settings", "0")
    assert browser.get_log("browser") == []
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    assert report.as_uri() in asked, "the log of requests was not understood"
    assert {url for url in asked if not url.startswith("data:")} == {report.as_uri()}


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_the_page_is_no_wider_than_its_window(page: Any, width: int) -> None:
    metrics = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 700}
    page.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    page.execute_script("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    needed, given = page.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
    assert given == width, "a page that is too wide was made smaller"
    assert needed <= width


def test_dark_is_dark(page: Any) -> None:
    def brightness() -> int:
        color = page.execute_script("return getComputedStyle(document.body).backgroundColor")
        return sum(int(part) for part in color[4:-1].split(","))

    for scheme, dark in (("dark", True), ("light", False)):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        assert (brightness() < 200) is dark


def test_paper_has_the_tables_with_what_went_wrong_and_no_controls(page: Any) -> None:
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    shown = page.find_element("tag name", "body").text
    assert f"RuntimeError: {EVIL}" in shown
    assert len(column(page, "runs", 0)) == 10
    for control in page.find_elements("css selector", "input, td details"):
        assert not control.is_displayed()
    checks = page.find_element("css selector", ".claim li")  # folded on the screen
    assert page.execute_script("return arguments[0].checkVisibility({contentVisibilityAuto: true})", checks)
    assert page.find_element("css selector", ".claim summary").value_of_css_property("list-style-type") == "none"
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
