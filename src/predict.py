"""The command `predict`: applies a trained network to the user's files or texts, or to a split of its own data."""

from pathlib import Path

from omegaconf import DictConfig

from atelier.compose.verb import verb


@verb("predict")
def main(options: DictConfig) -> None:
    """Print the prediction for each input, and draw images with their predictions; see `--help`.

    With `split`, write the prediction for each of its samples into `predictions.csv`.
    """
    import sys

    from atelier.api.answers import show_answers
    from atelier.api.finished import answers_of
    from atelier.api.predictions import check_asked, predict_split, show_rows
    from atelier.api.tested import recorded_of
    from atelier.arguments import check_arguments
    from atelier.compose.build import build_data, build_task, build_trainer
    from atelier.compose.open import reopen
    from atelier.data.brought import known_of
    from atelier.data.inputs import load_inputs
    from atelier.runs.checkpoint import load_weights
    from atelier.runs.manifest import Manifest
    from atelier.runs.terminal import print_if_fake, quieten_lightning

    quieten_lightning()
    check_arguments("", show_answers, {"format": options.format})
    check_asked(options)
    folder, config, path = reopen(options)
    data, task = build_data(config), build_task(config)
    manifest = Manifest.read(folder.manifest)
    task.recorded, trained_on = recorded_of(manifest.content, folder, config, path), manifest.get("data")
    output = Path(options.output or folder.path / "predictions" / (options.split or ""))
    if options.split is not None:
        data.check_same(trained_on)
        load_weights(task, path)
        show_rows(predict_split(config, task, data, options.split), options.format, output)
        print_if_fake(config, sys.stderr)
        return
    inputs = load_inputs(options, data, known_of(data, trained_on))
    load_weights(task, path)
    task.to(build_trainer(config, task.network).strategy.root_device).eval()
    answers = answers_of(task, data, inputs.tensor)
    show_answers(inputs, answers, options.format, output)
    print_if_fake(config, sys.stderr)  # standard output holds only JSON with format=json
    if inputs.unread:
        sys.exit(1)


if __name__ == "__main__":
    main()
