"""The page of the record: every study with its claims, our numbers and the reports'."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from atelier.claims.judge import results_of
from atelier.claims.study import Study
from atelier.results.page import of_what, page
from atelier.sweeps.grid import expand
from atelier.sweeps.records import Record


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


def test_what_was_typed_beside_a_study_is_told_and_what_it_sets_itself_is_not() -> None:
    """A key to which all settings give one value does not vary, and is the study's all the same."""
    node = {"settings": [{"optimizer": name, "trainer.max_epochs": 5} for name in ("sgd", "adam")]}
    study = Study("made", node, [], expand([], node)[0])
    records = []
    for number, name in enumerate(("sgd", "adam")):
        typed = [f"optimizer={name}", "trainer.max_epochs=5", "seed=0", "trainer.precision=16"]
        about = {"device": "cpu", "precision": f"{16 + 16 * number}", "seconds": {"setup": 600, "fit": 1200}}
        about |= {"overrides": [*typed, "data.n=9"][: 5 - number], "status": "completed", "config_hash": name}
        about["git"] = {"commit": f"{number}123456789", "dirty": bool(number)}
        records.append(Record(None, about, {"number": number}))
    told = of_what(results_of(study, records), study)
    runs = "2 runs, 1.00 hours on cpu, precision 16 (1 run), 32 (1 run), of commits 0123456, 1123456 with changes."
    assert told == f"{runs} With `data.n=9` (1 run)."
    own = replace(study, own=frozenset({"data.n=9"}))
    assert of_what(results_of(own, records), own) == runs, "what else its file sets"
    grid = {"grid": {"optimizer": ["sgd", "adam"], "data.n": [9]}}
    of_grid = Study("made", grid, [], expand([], grid)[0])
    assert "data.n" not in of_what(results_of(of_grid, records), of_grid), "a single value of its grid"


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
