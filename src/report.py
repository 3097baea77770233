"""The command `report`: writes tables, figures and an HTML page from finished runs; compares, marks and lists runs."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from atelier.compose.verb import verb

# {option: what it has an effect beside: sweep=, run=, or None, the list of runs}
BESIDE: dict[str, tuple[str | None, ...]] = {
    **dict.fromkeys(("output", "baseline", "rows", "columns", "metric", "style", "paper"), ("sweep",)),
    **dict.fromkeys(("tags", "note"), ("run",)),
    **{"where": ("sweep", None), "sort": (None,)},
}


@verb("report")
def main(options: DictConfig) -> None:
    """Write the report of sweeps and runs; see `python src/report.py --help`."""
    from atelier.arguments import check_arguments
    from atelier.project import conf_of, project_root
    from atelier.runs.folder import named

    logs = Path(options.paths.logs)
    given: Any = OmegaConf.to_object(options)
    check_together(given)
    if given["sweep"] is None:
        without_sweep(given, logs)
        return
    from atelier.report.write import Asked, write_report  # imports Matplotlib, which a list of runs does not need

    asked = {key: given[key] for key in Asked.__annotations__}
    check_arguments("", Asked, asked)
    sweeps = given["sweep"] if isinstance(given["sweep"], list) else [given["sweep"]]
    folders = [named(str(name), logs, "sweep") for name in sweeps]
    output = Path(str(given["output"])) if given["output"] is not None else None
    write_report(folders, output, conf_of(project_root()), Asked(**asked))


def check_together(given: dict[str, Any]) -> None:
    """
    Raises:
        InputError: for an option that would have no effect beside the others.
    """
    from atelier.errors import InputError

    if len(subjects := [key for key in ("sweep", "diff", "run") if given[key] is not None]) > 1:
        raise InputError(f"{' and '.join(f'{key}=' for key in subjects)}: give one of them")
    subject = subjects[0] if subjects else None
    for key, allowed in BESIDE.items():
        if given[key] not in (None, []) and subject not in allowed:
            told = (
                f"it has no effect beside {subject}=; leave one out" if subject else f"it goes with {allowed[0]}=FOLDER"
            )
            raise InputError(f"{key}={given[key]}: {told}")


def without_sweep(given: dict[str, Any], logs: Path) -> None:
    """Compare two runs, mark a run, or list runs and sweeps."""
    from atelier.arguments import check_arguments
    from atelier.compare.diff import check_pair, print_diff
    from atelier.compare.listing import print_listing, print_matching
    from atelier.compare.marks import mark

    if given["diff"] is not None:
        print_diff(*check_pair(given["diff"]), logs)
    elif given["run"] is not None:
        marks = {key: given[key] for key in ("run", "tags", "note")}
        check_arguments("", mark, marks)
        mark(**marks, logs=logs)
    elif given["where"] is not None or given["sort"] is not None:
        wanted = {key: given[key] for key in ("where", "sort", "limit")}
        check_arguments("", print_matching, wanted)
        print_matching(logs, **wanted)
    else:
        check_arguments("", print_listing, {"limit": given["limit"]})
        print_listing(logs, given["limit"])


if __name__ == "__main__":
    main()
