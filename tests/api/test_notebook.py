"""docs/notebook.ipynb and the examples of docs/python.md are executed."""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import atelier

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "docs" / "notebook.ipynb"
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", (ROOT / "docs" / "python.md").read_text(), re.MULTILINE | re.DOTALL)


def test_the_notebook_is_stored_as_it_was_written() -> None:
    """Without outputs, numbers of executions, and what a user's kernel adds."""
    notebook = json.loads(NOTEBOOK.read_text())
    assert notebook["metadata"]["language_info"] == {"name": "python"}
    for cell in notebook["cells"]:
        assert cell["metadata"] == {}
        assert (cell.get("outputs", []), cell.get("execution_count")) == ([], None)
        if cell["cell_type"] == "code":
            compile("".join(cell["source"]), cell["id"], "exec")


@pytest.mark.slow
def test_the_notebook_runs(logs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import nbformat
    from nbclient import NotebookClient

    kernel = {"argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"], "language": "python"}
    spec = tmp_path / "jupyter" / "kernels" / "python3" / "kernel.json"
    spec.parent.mkdir(parents=True)
    spec.write_text(json.dumps({**kernel, "display_name": "this interpreter"}))
    for name in ("JUPYTER_PATH", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(tmp_path / "jupyter"))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(ROOT / "docs")}}).execute()
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    shown = [output.data for output in outputs if "data" in output]
    assert sum("image/png" in data for data in shown) == 2, "the curves and the mistakes"
    printed = "".join(output.text for output in outputs if output.output_type == "stream")
    assert re.search(r"^epoch 8/8 .*val/accuracy", printed, re.MULTILINE)
    assert re.search(r"^\d+ of 359 digits are taken for another$", printed, re.MULTILINE)
    assert [run["status"] for run in map(manifest, logs.glob("runs/default/*/run.json"))] == ["completed"] * 2
    assert "0.010" in shown[-1]["text/plain"]


def manifest(file: Path) -> dict[str, Any]:
    return json.loads(file.read_text())


def test_the_examples_of_the_page_run(
    left: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """But for the training, which stands in for by the run that is there."""
    left("run")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "docs").symlink_to(ROOT / "docs")
    monkeypatch.setattr("atelier.api.train.train", lambda *overrides: atelier.load("latest"))
    names: dict[str, Any] = {}
    assert len(EXAMPLES) >= 4
    for example in EXAMPLES:
        exec(example, names)
    assert (tmp_path / "curves.png").is_file()
    assert len(names["best"]) == 1
    assert names["run"].folder == names["last"].folder
