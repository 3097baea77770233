"""Use a trained network on one's own files."""

from omegaconf import DictConfig

from atelier.compose.verb import verb


@verb("predict")
def main(options: DictConfig) -> None:
    """Print the network's answer for each file, and draw it; see `python src/predict.py --help`."""
    import torch

    from atelier.compose.build import build_data, build_task, build_trainer
    from atelier.compose.inputs import find_files, show_answers
    from atelier.compose.open import reopen
    from atelier.runs.checkpoint import load_weights
    from atelier.runs.terminal import quieten_lightning

    quieten_lightning()
    files = find_files(options.inputs)
    folder, config, path = reopen(options)
    data, task = build_data(config), build_task(config)
    load_weights(task, path)
    device = build_trainer(config).strategy.root_device
    task.to(device).eval()

    images = torch.stack([data.load_file(file) for file in files])
    with torch.inference_mode():
        parts = images.split(data.eval_batch_size)
        prediction = torch.cat([task(data.normalise(part.to(device))).cpu() for part in parts])
    show_answers(files, images, task.answers(prediction), options.format, options.output or folder.path / "predictions")


if __name__ == "__main__":
    main()
