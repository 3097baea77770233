"""The command `train`: composes, trains, tests the best checkpoint, returns the objective; or finds a learning rate."""

from omegaconf import DictConfig

from atelier.compose.verb import verb


@verb("train")
def main(config: DictConfig) -> float | None:
    """Train a network in a new run folder, or resume a run; see `python src/train.py --help`."""
    from atelier.compose.build import build_data, build_task, build_trainer
    from atelier.compose.open import open_run
    from atelier.runs.terminal import print_if_fake
    from atelier.start.begin import begin

    if config.lr_find is True:  # of other values, `open_run` tells what is wrong
        from atelier.lr_find.find import find_lr

        return find_lr(config)
    run, config = open_run(config)
    with run.recorded():
        with run.timed("setup"):
            data, task = build_data(config), build_task(config)
            trainer = build_trainer(config, task.network, run)
            run.describe(task, trainer)
            begin(run, task)
        if config.train:
            with run.timed("fit"):
                trainer.fit(task, data, ckpt_path=run.resume_from(), weights_only=True)
        if config.test and not run.pruned:
            with run.timed("test"):
                path = run.to_test(task)
                try:
                    trainer.test(task, data, ckpt_path=path, weights_only=True, verbose=False)
                finally:  # also if a callback fails after it
                    run.record_test(trainer)
    if run.main:
        print_if_fake(run.config)  # also printed before the training
    return run.manifest["objective"]["best"]


if __name__ == "__main__":
    main()
