"""The program `atelier`: the verbs of src/ for the project in whose folder it is typed, and `atelier new`."""

import os
import re
import runpy
import sys
from pathlib import Path

from atelier.new import make_project
from atelier.project import VARIABLE, VERBS, find_project

USAGE = """Usage: atelier VERB [key=value ...]

  new NAME     make a folder with a project of your own: data, a network, an experiment, a study, tests
  train        train a network, or with -m a sweep of many
  eval         test a finished run again
  predict      use a trained network on your own files
  sample       pictures by a trained GAN or VAE
  export       write a trained network as ONNX, torch.export or safetensors
  report       tables, figures and a page from finished runs
  dashboard    a W&B workspace for a sweep

atelier VERB --help tells more. A command works for the project in whose folder it is typed."""


def main() -> int | str | None:
    """Run the verb that is typed first; return the exit status, or a message for standard error."""
    if sys.argv[-2:-1] == ["-sc"] and sys.argv[-1].endswith("=bash"):
        complete(sys.argv[-1])
        return 0
    verb, *arguments = sys.argv[1:] or ["--help"]
    if verb in ("-h", "--help"):
        print(USAGE)
        return 0
    if verb == "new":
        return make_project(arguments)
    if f"\n  {verb} " not in USAGE:
        return f"atelier {verb}: there is no such verb\n{USAGE}"
    run(verb, arguments)
    return 0


def run(verb: str, arguments: list[str]) -> None:
    script = str(VERBS / f"{verb}.py")
    os.environ[VARIABLE] = str(find_project(Path.cwd()))
    sys.argv = [script, *arguments]
    runpy.run_path(script, run_name="__main__")


def complete(request: str) -> None:
    """Answer bash: `install` and `uninstall` print what it evaluates, `query` the words that its line can end with."""
    if request != "query=bash":
        from hydra._internal.core_plugins.bash_completion import BashCompletion

        sys.argv[0] = "atelier"  # the program whose words are completed
        completion = BashCompletion(None)  # type: ignore[arg-type]  # no configuration is read
        (completion.uninstall if request == "uninstall=bash" else completion.install)()
        return
    program, verb, *words = re.split(r"\s+", os.environ["COMP_LINE"])
    if not words:
        print(*(known for known in re.findall(r"^  (\w+) ", USAGE, re.MULTILINE) if known.startswith(verb)))
    elif f"\n  {verb} " in USAGE and verb != "new":
        os.environ["COMP_LINE"] = " ".join([program, *words])  # Hydra expects no verb
        run(verb, ["-sc", request])


if __name__ == "__main__":
    sys.exit(main())
