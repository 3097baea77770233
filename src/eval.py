"""The command `eval`: tests a finished run again, from its folder."""

import time
from pathlib import Path

from omegaconf import DictConfig

from atelier.compose.verb import verb


@verb("eval")
def main(options: DictConfig) -> None:
    """Print the metrics of a run's checkpoint on one of its splits; see `python src/eval.py --help`."""
    from atelier.arguments import check_arguments
    from atelier.compose.build import build_data, build_task, build_trainer
    from atelier.compose.open import reopen
    from atelier.data.tensors import TensorData
    from atelier.runs.checkpoint import load_weights
    from atelier.runs.manifest import Manifest
    from atelier.runs.terminal import print_if_fake, print_metrics, quieten_lightning

    quieten_lightning()
    check_arguments("", TensorData.evaluate_on, {"split": options.split})
    folder, config, path = reopen(options)
    data, task = build_data(config), build_task(config)
    data.check_same(Manifest.read(folder.manifest).get("data"))
    load_weights(task, path)
    data.evaluate_on(options.split)
    output = Path(options.output or folder.path / "evaluation" / options.split)
    trainer, began = build_trainer(config, task.network, output=output), time.time()
    metrics = trainer.test(task, data, verbose=False)
    if not trainer.is_global_zero:
        return
    print(f"{path} on the {options.split} set")
    print_metrics(metrics[0], options.split)
    print_if_fake(config)
    if config.callbacks:
        drawn = any(one.is_file() and one.stat().st_mtime >= began for one in (output / "figures").rglob("*"))
        told = f"Figures of the callbacks: {output / 'figures'}"
        print(told if drawn else f"No figures: {', '.join(config.callbacks)} drew none in this test")


if __name__ == "__main__":
    main()
