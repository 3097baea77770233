"""`atelier new NAME`: makes a folder with a small project of one's own from `template/`, whose tests pass."""

import importlib.metadata
import importlib.util
import json
import keyword
import re
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATE = Path(__file__).parent / "template"
ENDING = ".jinja"


def make_project(arguments: Sequence[str]) -> str | None:
    """Make the project that the user names; return a message if that is not possible."""
    if len(arguments) != 1 or arguments[0] in ("-h", "--help"):
        return "Usage: atelier new NAME     a folder, and the package src/NAME in it"
    folder = Path(arguments[0])
    name = folder.name
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name) or name == "atelier":
        return f"atelier new {name}: give a name of a package: small letters, digits and _, such as my_project"
    if folder.exists():
        return f"atelier new {folder}: this folder exists already"
    if importlib.util.find_spec(name) is not None:
        return f"atelier new {name}: Python has a package of that name already; choose another, such as my_{name}"
    environment = Environment(loader=FileSystemLoader(TEMPLATE), undefined=StrictUndefined, keep_trailing_newline=True)
    try:
        for file in sorted(TEMPLATE.rglob(f"*{ENDING}")):
            path = str(file.relative_to(TEMPLATE))
            place = folder / path.removesuffix(ENDING).replace("NAME", name)
            place.parent.mkdir(parents=True, exist_ok=True)
            text = environment.get_template(path).render(name=name, atelier=requirement())
            place.write_text(text, encoding="utf-8")
    except OSError as error:
        return f"atelier new {folder}: {error.filename} cannot be written: {error.strerror}"
    print(f"{folder}: a project of your own, see README.md. Try:\n  cd {folder}\n  atelier train experiment=bars")
    return None


def requirement() -> str:
    """The installed Atelier as a requirement of a package: its version, or where it was installed from."""
    found = importlib.metadata.distribution("atelier")
    origin = json.loads(found.read_text("direct_url.json") or "{}")
    url = origin.get("url")
    if url is None:
        return f"atelier=={found.version}"
    if "vcs_info" in origin:
        url = f"{origin['vcs_info']['vcs']}+{url}@{origin['vcs_info']['commit_id']}"
    return f"atelier @ {url}"
