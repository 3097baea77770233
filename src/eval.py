"""Test a finished run again, from its folder alone."""

from omegaconf import DictConfig

from atelier.compose.verb import verb


@verb("eval")
def main(options: DictConfig) -> None:
    """Print the metrics of a run's checkpoint on one of its splits; see `python src/eval.py --help`."""
    from atelier.compose.build import build_data, build_task, build_trainer
    from atelier.compose.open import reopen
    from atelier.runs.checkpoint import load_weights
    from atelier.runs.terminal import print_metrics, quieten_lightning

    quieten_lightning()
    _, config, path = reopen(options)
    data, task = build_data(config), build_task(config)
    load_weights(task, path)
    metrics = build_trainer(config).test(task, data.evaluate_on(options.split), verbose=False)
    print(f"{path} on the {options.split} set")
    print_metrics(metrics[0], options.split)


if __name__ == "__main__":
    main()
