"""JSON schemas of the files in conf/, made from the signatures of what they build, for completion in an editor.

`make schema` writes `.schema/<group>.json`, and `.vscode/settings.json` unless there is one; each schema names the keys
of a group's files with their types, bounds and choices.
"""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ConfigDict, PydanticUserError, TypeAdapter
from pydantic.json_schema import PydanticInvalidForJsonSchema

from atelier.arguments import describe, kind_of_default, signature_of
from atelier.compose.bounds import ADDED, stated_for
from atelier.compose.targets import locate
from atelier.option_files import groups
from atelier.project import VARIABLE, conf_of, find_project, layers, settings

REFERENCE = {"type": "string", "pattern": r"^(\$\{|\?\?\?$)"}  # to another key, or a missing value
NESTED = ("items", "prefixItems", "anyOf", "additionalProperties")  # keys of a schema that hold schemas
OURS = ("precision",)  # keys of Lightning's Trainer with a value of ours, auto
OF_HYDRA = {"defaults": {"type": "array"}, "_target_": {"type": "string"}, "_partial_": {"type": "boolean"}}


def schema_of(group: str, conf: Path) -> dict[str, Any]:
    """The schema of a group's files: for each class that they build, the keys of its constructor."""
    files = [file for layer in layers(conf) for file in sorted((layer / group).rglob("*.yaml"))]
    contents = [yaml.safe_load(file.read_text(encoding="utf-8")) or {} for file in files]
    targets = sorted({content["_target_"] for content in contents if "_target_" in content})
    cases = [
        {
            "if": {"properties": {"_target_": {"const": target}}, "required": ["_target_"]},
            "then": {"properties": {**OF_HYDRA, **keys}, "additionalProperties": more},
        }
        for target in targets
        for keys, more in [keys_of(group, target)]
    ]
    return {"$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "allOf": cases}


def keys_of(group: str, target: str) -> tuple[dict[str, Any], bool]:
    """{key: schema} of a constructor's arguments, and whether it takes any others."""
    found = locate(group, target)
    parameters, hints, takes_any = signature_of(found)
    added = stated_for(found, ADDED)
    hints = {**hints, **stated_for(found), **added}
    named = {name: hints.get(name, kind_of_default(parameters[name])) for name in parameters} | added
    ours = OURS if found.__name__ == "Trainer" else ()
    return {name: schema_of_value(Any if name in ours else hint) for name, hint in named.items()}, takes_any


def schema_of_value(hint: Any) -> dict[str, Any]:
    """The schema of an argument's values; of an object that a node describes, any."""
    try:
        own = TypeAdapter(hint, config=ConfigDict(arbitrary_types_allowed=True)).json_schema()
    except (PydanticUserError, PydanticInvalidForJsonSchema, NameError, TypeError, RuntimeError):
        return {}
    definitions = {"$defs": own.pop("$defs")} if "$defs" in own else {}
    return {**with_references(own), "description": describe(hint), **definitions}


def with_references(schema: Any) -> Any:
    """A schema that allows a reference, or a node that builds an object, in the place of each value."""
    if isinstance(schema, list):
        return [with_references(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {key: with_references(value) if key in NESTED else value for key, value in schema.items()}
    return {"anyOf": [inner, REFERENCE, {"type": "object", "required": ["_target_"]}]}


def main() -> None:
    root = find_project(Path.cwd())
    if "atelier" in settings(root):  # whose packages are to be read
        os.environ[VARIABLE] = str(root)
    conf = conf_of(root)
    places: dict[str, list[str]] = {}
    (root / ".schema").mkdir(exist_ok=True)
    for group in groups(conf):
        made = schema_of(group, conf)
        if made["allOf"]:
            (root / ".schema" / f"{group}.json").write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")
            places[f"./.schema/{group}.json"] = [f"conf/{group}/**/*.yaml"]
    editor = root / ".vscode" / "settings.json"
    told: Mapping[str, Any] = {"yaml.schemas": places}
    if editor.exists():
        print(f"{editor} exists already; what it needs:\n{json.dumps(told, indent=2)}", file=sys.stderr)
    else:
        editor.parent.mkdir(exist_ok=True)
        editor.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    print(f"{len(places)} schemas in {root / '.schema'}; VS Code's YAML extension reads them")


if __name__ == "__main__":
    main()
