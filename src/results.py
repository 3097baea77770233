"""Results: runs the studies of conf/results.yaml, records their results, and decides the reports' claims."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from atelier.project import read_environment

ROOT = Path(__file__).resolve().parent.parent
OF_THE_LIST = ("study", "budget", "quick", "sweep")  # which decides them
CONF, DOCS, LIST = ROOT / "conf", ROOT / "docs", ROOT / "conf" / "results.yaml"


def main() -> int:
    """Run the command; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    run = commands.add_parser(
        "run", help="run the missing jobs of conf/results.yaml in order, then export (the default)"
    )
    run.add_argument("--nice", type=int, default=19, choices=range(20), metavar="N", help="nice value, 0 to 19")
    run.add_argument("overrides", nargs="*", help="overrides for every sweep, such as hydra.launcher.jobs_per_gpu=6")
    commands.add_parser("status", help="progress of the list, hours spent and left, present verdicts")
    commands.add_parser("export", help="update docs/results/, docs/results.md and README's table from all runs")
    commands.add_parser("claims", help="claims of every study, with their checks and settings")
    given = parser.parse_args()
    read_environment(ROOT)
    logs = Path(os.environ.get("LOG_DIR") or ROOT / "logs").absolute()

    from atelier.compose.verb import register_resolvers
    from atelier.errors import InputError

    register_resolvers(ROOT)
    try:
        if given.command in (None, "run"):
            return run_list(logs, getattr(given, "overrides", []), getattr(given, "nice", 19))
        return {"status": status, "export": export, "claims": claims}[given.command](logs)
    except InputError as error:
        print(error, file=sys.stderr)
        return 2


def run_list(logs: Path, overrides: Sequence[str], nice: int) -> int:
    import torch

    from atelier.errors import InputError
    from atelier.results.plan import read_plan
    from atelier.results.queue import OF_THE_LAUNCHER, Queue, alone, be_patient, busy, say
    from atelier.results.runs import runs_of
    from atelier.results.studies import load
    from atelier.runs.overrides import key_of
    from atelier.runs.provenance import cores
    from atelier.runs.setting import is_aside

    for one in overrides:
        key = key_of(one)
        if not one.startswith(OF_THE_LAUNCHER) and (not is_aside(key) or key.split(".")[0] in OF_THE_LIST):
            told = "the record is of the studies' own settings; train it apart: python src/train.py -m study=NAME"
            raise InputError(f"{one}: {told} {one}")
    be_patient(nice)
    with alone(logs / "results"):
        if told := busy(nice, cores()):
            say(told)
        parts = read_plan(LIST, CONF, logs)
        lanes = 1 if torch.cuda.is_available() else 2  # a sweep takes all GPUs
        runs = lambda name: runs_of(load(CONF, name), logs, DOCS)  # noqa: E731
        status = Queue(ROOT, parts, runs, overrides, cores(), lanes).run()
        return export(logs) or status if status in (0, 1) else status  # not after a signal


def export(logs: Path) -> int:
    from atelier.results.export import export_all
    from atelier.results.plan import read_plan

    for line in export_all(read_plan(LIST, CONF, logs), CONF, logs, DOCS):
        print(line, flush=True)
    return 0


def status(logs: Path) -> int:
    from atelier.results.plan import read_plan
    from atelier.results.status import lines, print_status
    from atelier.runs.provenance import cores

    print_status(lines(read_plan(LIST, CONF, logs), CONF, logs, DOCS), cores())
    return 0


def claims(logs: Path) -> int:
    from atelier.results.told import print_claims

    return 0 if print_claims(CONF) else 1


if __name__ == "__main__":
    sys.exit(main())
