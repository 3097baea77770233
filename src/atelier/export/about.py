"""What an exported file says of itself: the run, its network, data and metrics, its inputs and outputs."""

import json
from collections.abc import Mapping
from typing import Any

import torch

from atelier.errors import InputError
from atelier.export.exported import Exported

NETWORKS = ("network", "generator", "discriminator", "encoder", "decoder")
# Facts of a data set; its other keys say where and how it is read.
FACTS = ("name", "shape", "image_shape", "permuted", "length", "num_symbols", "num_classes", "mean", "std")


@torch.no_grad()
def describe(
    exported: Exported, inputs: torch.Tensor, config: Mapping[str, Any], manifest: Mapping[str, Any]
) -> dict[str, Any]:
    """Plain data, with null for NaN and infinities, which the JSON of other programs lacks.

    `config` is the run's as plain data, `manifest` its run.json, `inputs` examples (N, …).

    Raises:
        InputError: if the task's outputs are no tensors, or not as many as they have names.
    """
    task, data = exported.owners
    outputs, name = exported(inputs), type(task).__name__
    if not isinstance(outputs, tuple) or not all(isinstance(output, torch.Tensor) for output in outputs):
        raise InputError(f"{name} gives no tensor for its inputs, so it cannot be exported; see {name}.export_step")
    if len(outputs) != len(exported.output_names):
        told = f"gives {len(outputs)} outputs for its inputs; name as many in {name}.export_outputs"
        raise InputError(f"{name} {told}, not {list(exported.output_names)}")
    known = {
        "experiment": str(manifest.get("experiment")),
        "config_hash": str(manifest.get("config_hash")),
        "task": str(config["task"]["_target_"]),
        "torch": str(torch.__version__),
        "config": {key: config[key] for key in NETWORKS if key in config},
        "data": {key: config["data"][key] for key in ("_target_", *FACTS) if key in config["data"]},
        "classes": getattr(task, "classes", None) or data.classes,
        "objective": manifest.get("objective"),
        "test": manifest.get("test"),
        "input": {"name": exported.input_name, **kind(inputs), "values": exported.input_values},
        "outputs": [
            {"name": name, **kind(output)} for name, output in zip(exported.output_names, outputs, strict=True)
        ],
    }
    return dict(json.loads(json.dumps(known), parse_constant=lambda word: None))


def kind(tensor: torch.Tensor) -> dict[str, Any]:
    """The type and shape of a tensor, whose first side may be any."""
    return {"dtype": str(tensor.dtype).removeprefix("torch."), "shape": ["N", *tensor.shape[1:]]}


def told(tensor: Mapping[str, Any]) -> str:
    """The description of an input or output in words.

    >>> told({"name": "logits", "dtype": "float32", "shape": ["N", 10]})
    'logits float32 (N, 10)'
    """
    return f"{tensor['name']} {tensor['dtype']} ({', '.join(map(str, tensor['shape']))})"


def texts(about: Mapping[str, Any]) -> dict[str, str]:
    """The facts for a format that keeps only texts: all that is no text is JSON."""
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in about.items()}
