"""docs/scratch.md: its Python blocks are executed from top to bottom, and print what the page says that they print."""

import contextlib
import io
import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "scratch.md").read_text()
SCRATCH = Path(__file__).parents[2] / "src" / "atelier" / "scratch"
NUMBER = r"\d+\.\d+"


def test_the_blocks_print_what_the_page_says() -> None:
    blocks = re.findall(r"^```python\n(.*?)^```\n\n```text\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert len(blocks) == PAGE.count("```python") > 0
    names: dict[str, object] = {}
    for code, expected in blocks:
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(code, names)
        printed = out.getvalue()
        assert re.sub(NUMBER, "#", printed) == re.sub(NUMBER, "#", expected)
        numbers = [float(number) for number in re.findall(NUMBER, printed)]
        # Another processor rounds otherwise, and a training makes more of it.
        assert numbers == pytest.approx([float(number) for number in re.findall(NUMBER, expected)], abs=0.03)


def test_the_page_names_every_file() -> None:
    named = set(re.findall(r"`(\w+\.py)`", PAGE))
    files = {file.name for file in SCRATCH.glob("*.py")}
    assert named <= files
    assert files - named == {"__init__.py", "flatten.py", "mlp.py"}


def test_every_link_within_the_page_leads_somewhere() -> None:
    headings = re.findall(r"^## (.*)$", PAGE, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}
    links = set(re.findall(r"\]\(#([\w-]+)\)", PAGE))
    assert links == anchors
