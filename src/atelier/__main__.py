"""The program `atelier`: the verbs of src/ for the project in whose folder it is typed, and `atelier new`."""

import os
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
    verb, *arguments = sys.argv[1:] or ["--help"]
    if verb in ("-h", "--help"):
        print(USAGE)
        return 0
    if verb == "new":
        return make_project(arguments)
    script = VERBS / f"{verb}.py"
    if f"\n  {verb} " not in USAGE:
        return f"atelier {verb}: there is no such verb\n{USAGE}"
    os.environ[VARIABLE] = str(find_project(Path.cwd()))
    sys.argv = [str(script), *arguments]
    runpy.run_path(str(script), run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(main())
