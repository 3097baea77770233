"""docs/results.md and docs/results/ of the project itself."""

import csv
import json
from pathlib import Path

from atelier.results.page import page

ROOT = Path(__file__).parents[2]


def test_the_projects_page_is_what_its_record_gives() -> None:
    assert (ROOT / "docs" / "results.md").read_text() == page(ROOT / "conf", ROOT / "docs"), "make results ARGS=export"


def test_the_record_is_small() -> None:
    large = [file for file in (ROOT / "docs" / "results").rglob("*") if file.stat().st_size > 1_000_000]
    assert large == []
    figures = [file for file in (ROOT / "docs" / "results").glob("*/figures/*") if file.stat().st_size > 200_000]
    assert figures == []


def test_what_is_in_the_record_is_nowhere_not_yet_run(study_option: str) -> None:
    file = ROOT / "docs" / "results" / study_option / "runs.csv"
    header = (ROOT / "conf" / "study" / f"{study_option}.yaml").read_text()
    if file.is_file():
        assert "# not yet run" not in header
        assert "docs/results.md" in header
        with file.open(newline="") as lines:
            rows = list(csv.DictReader(lines))
        assert {row["status"] for row in rows} == {"completed"}
        assert all(json.loads(row["overrides"]) for row in rows)
    else:
        assert "docs/results.md" not in header
