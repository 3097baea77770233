"""What a `_target_` names: a class or function of a module, or one inside of a class."""

import sys
from pathlib import Path

import pytest

from atelier.compose.targets import locate
from atelier.errors import InputError

MODULE = """
import torch
class Small(torch.nn.Linear):
    class Tiny(torch.nn.Linear):
        pass
    @staticmethod
    def made() -> torch.nn.Module:
        return torch.nn.Linear(1, 1)
"""


@pytest.fixture(autouse=True)
def own_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "src" / "located"
    package.mkdir(parents=True)
    (package / "networks.py").write_text(MODULE)
    (package / "needy.py").write_text("import no_such_package\n")
    (tmp_path / "pyproject.toml").write_text('[tool.atelier]\ntrusted = ["located"]\nparts = ["located"]\n')
    monkeypatch.setattr("sys.path", list(sys.path))
    monkeypatch.setenv("ATELIER_PROJECT", str(tmp_path))


@pytest.mark.parametrize("name", ["Small", "Small.Tiny", "Small.made"])
def test_a_class_or_function_is_found_in_a_module_and_in_a_class(name: str) -> None:
    assert locate("network", f"located.networks.{name}").__qualname__ == name


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("networks.Smal", "there is no such class or function"),
        ("networks.Small.Tine", "there is no such class or function"),
        ("network.Small", "there is no such class or function"),
        ("networks.torch.load", "leads outside of what is allowed"),
        ("needy.Small", "needs the package 'no_such_package', which is not installed"),
    ],
)
def test_another_name_is_told(name: str, told: str) -> None:
    with pytest.raises(InputError, match=rf"^network\._target_=located\.{name}: {told}"):
        locate("network", f"located.{name}")
