"""The command `report`: writes tables, figures and an HTML page from finished runs; without `sweep`, lists runs."""

from pathlib import Path
from typing import Any

from omegaconf import DictConfig, ListConfig, OmegaConf

from atelier.compose.verb import verb


@verb("report")
def main(options: DictConfig) -> None:
    """Write the report of sweeps and runs; see `python src/report.py --help`."""
    from atelier.arguments import check_arguments
    from atelier.project import conf_of, project_root
    from atelier.report.listing import print_listing
    from atelier.report.write import Asked, write_report
    from atelier.sweeps.sweep import Sweep

    logs = Path(options.paths.logs)
    if options.sweep is None:
        check_arguments("", print_listing, {"limit": options.limit})
        print_listing(logs, options.limit)
        return
    named = options.sweep if isinstance(options.sweep, ListConfig) else [options.sweep]
    folders = [Sweep.find(str(name), logs) for name in named]
    output = Path(str(options.output)) if options.output is not None else None
    asked: Any = OmegaConf.to_object(OmegaConf.masked_copy(options, ["baseline", "rows", "columns", "metric"]))
    check_arguments("", Asked, asked)
    write_report(folders, output, conf_of(project_root()), Asked(**asked))


if __name__ == "__main__":
    main()
