"""The page of the record: every study with its claims, our numbers and the reports'."""

from collections.abc import Callable
from pathlib import Path

import pytest

from atelier.results.page import page


def test_the_page_has_every_claim_with_our_number_and_the_reports(
    exported: Callable[..., list[str]], tmp_path: Path
) -> None:
    exported(0, 1, 2)
    text = (tmp_path / "docs" / "results.md").read_text()
    assert text == page(tmp_path / "conf", tmp_path / "docs")
    lines = text.splitlines()
    assert "| **the reports** | 1 | 1 | 0 | 0 | 0 | 1 | 3 |" in lines
    assert "## ASCI, computer vision by learning" in lines
    assert "### A made-up study" in lines
    assert any("Report (Made up), figure 1: its own is all. Ours: nothing." in line for line in lines)
    assert any(line.startswith("12 runs, 0.67 hours on cpu (x86_64, 2 threads), precision") for line in lines)
    first, second, third = (line for line in lines if line.startswith("| figure "))
    checks = [line for line in lines if line.startswith("|  |  | ")]
    # best accuracies differ by (0.1 + seed / 1000) of 1 - 0.9 ** 100
    assert first.endswith(" | val/accuracy: adam − sgd > 0 | 0.10100 ± 0.00100, n = 3 |  | **confirmed** |")
    assert "from the start \\| always" in second
    assert second.endswith("| all of these: |  |  | **contradicted** |")
    assert checks[0].startswith(
        "|  |  | mean of the first 7: train/accuracy − val/accuracy = 0.02 ± 0.001 (read) | 0.02 ± "
    )
    assert checks[0].endswith(", n = 3 | 0.02 | confirmed |")
    assert checks[1].startswith("|  |  | test/accuracy < 0.1 (a wrong one) | 0.")
    assert checks[1].endswith(", n = 3 |  | contradicted |")
    assert third.endswith("| by eye | – |  | not run |")
    assert "Figure 2, contradicted: It does not, since it is made up." in lines
    assert "![asci_made, figure 2](results/asci_made/figures/2_heatmap.svg)" in lines
    columns = "| optimizer | learning rate | best validation accuracy | test accuracy | training time | parameters |"
    assert f"{columns} runs (n) |" in lines


@pytest.mark.usefixtures("undrawn")
def test_a_study_without_runs_is_there_with_its_claims(exported: Callable[..., list[str]], tmp_path: Path) -> None:
    exported()
    text = (tmp_path / "docs" / "results.md").read_text()
    assert "Not run yet." in text
    claims = [line for line in text.splitlines() if line.startswith("| figure ")]
    assert [line.endswith("| not run |") for line in claims] == [True] * 3


@pytest.mark.usefixtures("undrawn")
def test_no_text_of_a_study_is_markup_in_the_page(exported: Callable[..., list[str]], tmp_path: Path) -> None:
    exported()
    study = tmp_path / "conf" / "study" / "asci_made.yaml"
    text = (
        study.read_text().replace("A made-up study", "A *made-up* | <b>").replace("Which one?", "a * b < c, _d_, e_f?")
    )
    text = text.replace("Pictures are sharp", "Pictures | <i> *are*").replace("its own is all", "`*all*` *all*")
    study.write_text(text)
    told = page(tmp_path / "conf", tmp_path / "docs")
    assert "\n### A \\*made-up\\* | &lt;b>\n\na \\* b < c, \\_d\\_, e_f?\n" in told
    assert "| figure 3 | Pictures \\| &lt;i> \\*are\\* | by eye |" in told
    assert "figure 1: `*all*` \\*all\\*. Ours" in told
