"""The command `predict`: applies a trained network to the user's files or texts."""

from omegaconf import DictConfig

from atelier.compose.verb import verb


@verb("predict")
def main(options: DictConfig) -> None:
    """Print the prediction for each input, and draw images with their predictions; see `--help`."""
    import sys

    from atelier.api.finished import answers_of
    from atelier.arguments import check_arguments
    from atelier.compose.answers import show_answers
    from atelier.compose.build import build_data, build_task, build_trainer
    from atelier.compose.open import reopen
    from atelier.data.brought import known_of
    from atelier.data.inputs import load_inputs
    from atelier.runs.checkpoint import load_weights
    from atelier.runs.manifest import Manifest
    from atelier.runs.terminal import print_if_fake, quieten_lightning

    quieten_lightning()
    check_arguments("", show_answers, {"format": options.format})
    folder, config, path = reopen(options)
    data, task = build_data(config), build_task(config)
    inputs = load_inputs(options, data, known_of(data, Manifest.read(folder.manifest).get("data")))
    load_weights(task, path)
    task.to(build_trainer(config, task.network).strategy.root_device).eval()
    answers = answers_of(task, data, inputs.tensor)
    show_answers(inputs, answers, options.format, options.output or folder.path / "predictions")
    print_if_fake(config, sys.stderr)  # standard output holds only JSON with format=json
    if inputs.unread:
        sys.exit(1)


if __name__ == "__main__":
    main()
