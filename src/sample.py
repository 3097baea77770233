"""The command `sample`: generates images with a trained GAN or VAE."""

from omegaconf import DictConfig

from atelier.compose.verb import verb


@verb("sample")
def main(options: DictConfig) -> None:
    """Draw generated images into a PNG file, with numbers in a JSON file; see `python src/sample.py --help`."""
    from pathlib import Path

    import torch

    from atelier.arguments import check_arguments
    from atelier.compose.build import build_data, build_task, build_trainer
    from atelier.compose.open import reopen
    from atelier.errors import InputError
    from atelier.figures.made import Sampler, draw
    from atelier.runs.checkpoint import load_weights
    from atelier.runs.manifest import Manifest
    from atelier.runs.terminal import print_if_fake, quieten_lightning
    from atelier.tasks.generative import GenerativeTask

    quieten_lightning()
    check_arguments("", draw, {"what": options.what})
    check_arguments("", Sampler, {"n": options.n, "seed": options.seed})
    folder, config, path = reopen(options)
    data, task = build_data(config), build_task(config)
    if not isinstance(task, GenerativeTask):
        raise InputError(f"run={folder.path}: its task, {type(task).__name__}, makes no pictures")
    data.check_same(Manifest.read(folder.manifest).get("data"))
    load_weights(task, path)
    task.to(build_trainer(config, task.network).strategy.root_device).eval()
    data.prepare_data()
    data.setup()

    output = Path(options.output or folder.path / "samples")
    output.mkdir(parents=True, exist_ok=True)
    picture = output / f"{options.what}.png"
    with torch.inference_mode():
        draw(options.what, Sampler(task, data, options.n, options.seed, picture), checkpoint=str(path))
    print(f"{picture}, and the numbers in {picture.with_suffix('.json').name}")
    print_if_fake(config)


if __name__ == "__main__":
    main()
