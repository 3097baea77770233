"""The command `dashboard`: builds a W&B workspace for a sweep."""

from omegaconf import DictConfig

from atelier.compose.verb import verb


@verb("dashboard")
def main(options: DictConfig) -> None:
    """Save the workspace on W&B, or write its definition into the sweep's folder; see `--help`."""
    from pathlib import Path

    from atelier.report.dashboard import publish, workspace
    from atelier.sweeps.sweep import Sweep

    folder = Sweep.open(str(options.sweep), Path(options.paths.logs)).path
    print(publish(workspace(folder, options.entity), folder))


if __name__ == "__main__":
    main()
