"""The command `export`: writes a trained network into a file that other programs read."""

from pathlib import Path

from omegaconf import DictConfig

from atelier.compose.verb import verb


@verb("export")
def main(options: DictConfig) -> None:
    """Write a run's network into a file and compare the file with the run; see `python src/export.py --help`."""
    from atelier.api.tested import recorded_of
    from atelier.arguments import check_arguments
    from atelier.compose.build import build_data, build_task
    from atelier.compose.open import reopen
    from atelier.compose.targets import plain
    from atelier.data.class_folders import readable
    from atelier.export.about import describe, told
    from atelier.export.exported import exported_of
    from atelier.export.formats import TOLERANCE, compared, format_of, target
    from atelier.runs.checkpoint import load_weights
    from atelier.runs.manifest import Manifest, write_atomically
    from atelier.runs.terminal import print_if_fake, quieten_lightning

    quieten_lightning()
    check_arguments("", format_of, {"format": options.format})
    folder, config, path = reopen(options)
    manifest = Manifest.read(folder.manifest)
    kind = format_of(options.format)
    default = folder.path / "export" / Path(str(manifest.get("experiment"))).name
    output = target(options.output, default, kind.ENDING)
    data, task = build_data(config), build_task(config)
    load_weights(task, path)

    exported = exported_of(task, data)
    inputs, words = exported.examples()
    about = describe(exported, inputs, plain(config), recorded_of(manifest.content, folder, config, path))
    content = kind.write(exported, inputs, about)
    difference = compared(content, kind, exported, inputs)
    output.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(output, content)
    print(f"{readable(output)}: {len(content) / 1e3:,.0f} kB, of {readable(path)}")
    print(f"in: {told(about['input'])}, {exported.input_values}; out: {', '.join(map(told, about['outputs']))}")
    print(f"compared with the run on {words}:")
    print(f"they differ by at most {difference:.1g} of the largest output ({TOLERANCE:g} is allowed)")
    print_if_fake(config)


if __name__ == "__main__":
    main()
