"""The environment: `make setup`, and the Dockerfile, which is built where there is a builder and read elsewhere."""

import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BUILDER = shutil.which("docker") or shutil.which("podman")
KNOWN = {"FROM", "ARG", "RUN", "WORKDIR", "COPY", "ENV", "ENTRYPOINT", "CMD"}


def instructions() -> list[tuple[str, str]]:
    lines = (line for line in (ROOT / "Dockerfile").read_text().splitlines() if line and not line.startswith("#"))
    return [(word, rest) for word, _, rest in (line.partition(" ") for line in lines)]


def test_the_dockerfile_is_well_formed_and_copies_what_is_there() -> None:
    found = instructions()
    assert {word for word, _ in found} <= KNOWN
    assert found[0][0] == "FROM"
    for word, rest in found:
        if word == "COPY":
            assert all((ROOT / name).exists() for name in shlex.split(rest)[:-1]), rest
        if word in ("ENTRYPOINT", "CMD"):
            assert all(isinstance(one, str) for one in json.loads(rest))


def test_the_dockerfile_sets_up_with_the_projects_own_command() -> None:
    makefile = (ROOT / "Makefile").read_text()
    (command,) = [rest for word, rest in instructions() if word == "RUN" and "make" in rest and "apt-get" not in rest]
    assert command.startswith("make setup ")
    for name in re.findall(r"(\w+)=", command):
        assert re.search(rf"^{name} \?=", makefile, re.MULTILINE), f"{name} is no variable of the Makefile"


def test_what_a_container_must_not_hold_stays_outside() -> None:
    ignored = set((ROOT / ".dockerignore").read_text().split())
    assert {".venv", ".env", "data", "logs", ".git", "conf/local"} <= ignored


def test_the_dev_container_sets_up_in_the_same_way() -> None:
    content = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    assert content["postCreateCommand"].startswith("make setup")


@pytest.mark.slow
def test_an_image_is_built_and_trains() -> None:
    if BUILDER is None or subprocess.run([BUILDER, "info"], capture_output=True, check=False).returncode:
        pytest.skip("no docker or podman answers, so that no image can be built")
    subprocess.run([BUILDER, "build", "-t", "atelier-test", str(ROOT)], check=True)
    subprocess.run([BUILDER, "run", "--rm", "atelier-test", "train", "debug=fast"], check=True)


@pytest.mark.parametrize(
    ("there", "asked", "made"),
    [
        *[("", [], False), ("", ["TORCH_BACKEND=cpu"], True), ("", ["TORCH_BACKEND="], False)],
        *[("cpu", [], False), ("cpu", ["TORCH_BACKEND=cpu"], False)],
        *[("cpu", ["TORCH_BACKEND=cu130"], True), ("cpu", ["TORCH_BACKEND="], True)],
    ],
    ids=str,
)
def test_setup_makes_the_environment_anew_for_another_build_of_torch(
    tmp_path: Path, there: str, asked: list[str], made: bool
) -> None:
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy2(ROOT / name, tmp_path)
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "backend").write_text(f"{there}\n")
    (tmp_path / ".venv" / ".ready").touch()
    command = ["make", "--dry-run", "setup", "PYTHON=python3", *asked]
    environment = {key: value for key, value in os.environ.items() if key not in ("TORCH_BACKEND", "MAKEFLAGS")}
    told = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True).stdout
    assert ("venv --clear" in told) == made
    if made and asked[0] != "TORCH_BACKEND=":
        assert f"--torch-backend {asked[0].partition('=')[2]} " in told


def test_setup_makes_the_environment_where_a_link_leads(tmp_path: Path) -> None:
    """`python -m venv --clear` of a link would empty the folder behind it and then fail."""
    (tmp_path / "scratch").mkdir()
    (tmp_path / ".venv").symlink_to("scratch")
    for name in ("Makefile", "requirements.lock", "pyproject.toml"):
        shutil.copy2(ROOT / name, tmp_path)
    printed = subprocess.run(["make", "-n", "setup"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert f"-m venv --clear {tmp_path / 'scratch'}" in printed.stdout
