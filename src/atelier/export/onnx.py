"""ONNX files, written by torch.onnx.export and read by onnxruntime and other programs."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from atelier.errors import InputError
from atelier.export.about import texts
from atelier.export.exported import Exported, Run
from atelier.export.program import plain_layers, told, traced

ENDING = ".onnx"


def write(exported: Exported, inputs: Tensor, about: Mapping[str, Any]) -> bytes:
    """
    Raises:
        InputError: if a package is missing, or the network has an operator that ONNX lacks.
    """
    need_packages()
    program = traced(exported, inputs)
    names: Any = {"input_names": [exported.input_name], "output_names": list(exported.output_names)}
    try:
        with plain_layers():
            found = torch.onnx.export(program, dynamo=True, verbose=False, **names)
    except Exception as error:  # converting graphs of any kind can raise any exception
        raise InputError(told("torch.onnx.export", exported, error)) from error
    assert found is not None
    found.model.metadata_props.update(texts(about))
    return found.model_proto.SerializeToString()


def opened(content: bytes, exported: Exported) -> Run:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    def run(inputs: Tensor) -> tuple[Tensor, ...]:
        found = session.run(None, {exported.input_name: inputs.numpy()})
        return tuple(torch.from_numpy(output) for output in found)

    return run


def need_packages() -> None:
    try:
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise InputError(f"format=onnx needs the package {error.name}: pip install 'atelier[onnx]'") from error
