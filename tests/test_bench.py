"""`make bench` prints a table, writes it down, and compares it with an earlier one."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def test_a_run_computes_in_the_precision_of_the_loop_beside_it(tmp_path: Path) -> None:
    """On a processor that has bf16 instructions, auto would compute a CNN in them, and the loop would look slow."""
    code = f"""
import pathlib, sys
sys.path.insert(0, {str(ROOT / "tests" / "bench")!r})
import training
cnn = next(words for name, (words, *_) in training.CASES.items() if "CNN" in name)
training.run([*cnn, "trainer.limit_val_batches=0"], 1, pathlib.Path({str(tmp_path)!r}))
"""
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, cwd=ROOT)
    (run,) = tmp_path.glob("run_*/run.json")
    assert json.loads(run.read_text())["precision"] == "32-true"


@pytest.mark.slow
def test_a_measurement_is_written_down_and_another_is_compared_with_it() -> None:
    words = [sys.executable, str(ROOT / "tests" / "bench"), "--rounds", "1", "--only", "without autograd"]
    first = subprocess.run(words, capture_output=True, text=True, check=True)
    written = Path(first.stdout.splitlines()[-1])
    rows = json.loads(written.read_text())["rows"]
    assert len(rows) == 2
    assert all(len(row["values"]) == 4 and min(row["values"]) > 0 for row in rows.values())
    again = subprocess.run([*words, "--compare", str(written)], capture_output=True, text=True, check=True)
    assert "now / before" in again.stdout
    for path in (written, Path(again.stdout.splitlines()[-1])):
        path.unlink()
