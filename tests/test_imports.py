"""Who may import whom: the rules of the design, read from the import statements."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src"
VERBS = {file.stem for file in SOURCE.glob("*.py")}
# The folders of atelier that each folder may import besides its own; the verbs may import anything.
ALLOWED: dict[str, set[str]] = {
    "losses": set(),
    "metrics": set(),
    "networks": {"scratch"},
    "data": set(),
    "runs": {"internals", "repository"},
    "scratch": set(),
    "tasks": {"losses", "metrics", "scratch", "internals"},
    "callbacks": {"figures", "metrics"},
    "loggers": {"runs"},
    "start": {"runs", "data"},
    "sweeps": {"runs", "compose"},
    "figures": {"runs"},
    "compare": {"runs", "sweeps", "figures"},
    "claims": {"runs", "sweeps", "figures", "compare"},
    "report": {"runs", "sweeps", "figures", "compare", "claims", "repository"},
    "export": {"data", "tasks"},
    "places.py": {"runs"},
    "compose": {
        "local_settings",
        "option_files",
        "places",
        "losses",
        "metrics",
        "networks",
        "data",
        "runs",
        "tasks",
        "callbacks",
        "loggers",
        "figures",
        "internals",
        "start",
    },
    "lr_find": {"compose", "figures", "runs", "start"},
    "new": set(),
    "api": {"compare", "runs", "sweeps", "data", "figures", "tasks", "compose", "local_settings"},
    "results": {"runs", "sweeps", "figures", "compare", "claims", "report", "compose"},
}
FILES = sorted((SOURCE / "atelier").rglob("*.py"))


def imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("folder", sorted({file.relative_to(SOURCE / "atelier").parts[0] for file in FILES}))
def test_a_folder_imports_only_what_it_may(folder: str) -> None:
    """A file beside the folders, too."""
    for file in (one for one in FILES if one.relative_to(SOURCE / "atelier").parts[0] == folder):
        for name in imports(file):
            top, _, rest = name.partition(".")
            assert top not in VERBS, f"{file}: {name} is a verb"
            if top == "atelier" and folder in ALLOWED:
                assert rest.split(".")[0] in ALLOWED[folder] | {folder, "errors", "arguments", "project"}, (
                    f"{file}: {name}"
                )
            if folder == "scratch":
                assert not name.startswith(("torch.nn", "torch.autograd")), f"{file}: {name}"


def test_every_folder_has_its_rule() -> None:
    folders = {file.relative_to(SOURCE / "atelier").parts[0] for file in FILES if file.parent != SOURCE / "atelier"}
    assert folders <= ALLOWED.keys()
