"""From a PyTorch model to an ONNX file in which every tensor keeps its name and its values."""

from __future__ import annotations

import contextlib
import os
import warnings
from pathlib import Path
from typing import Any, Iterator

import onnx
import torch
from torch import nn

from .errors import LocpError, UnsupportedModel


def as_inputs(example: Any) -> tuple[Any, ...]:
    """The model's positional inputs: a tensor stands for itself, a tuple or list for several."""
    return tuple(example) if isinstance(example, (tuple, list)) else (example,)


@contextlib.contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """The whole model in eval mode; afterwards every module is in the mode that it was in."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def check_kind(model: Any) -> None:
    """An error for wrappers, whose tensors have other names or cannot be exchanged."""
    if not isinstance(model, nn.Module):
        raise UnsupportedModel(f"expected a torch.nn.Module, got {type(model).__name__}; give the model itself")
    if isinstance(model, torch.jit.ScriptModule):
        raise UnsupportedModel("a ScriptModule cannot be changed in place; give the module that it was scripted from")
    if isinstance(model, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
        raise UnsupportedModel(f"{type(model).__name__} wraps the model; give `model.module`, and wrap it afterwards")
    if hasattr(model, "_orig_mod"):
        raise UnsupportedModel("torch.compile wraps the model; give `model._orig_mod`, and compile it afterwards")


def export(
    model: nn.Module,
    example: Any,
    path: str | os.PathLike,
    *,
    dynamic_batch: bool = True,
    opset: int = 17,
    **more: Any,
) -> None:
    """Writes the model to `path` as `locp` wants it.

    example        an input tensor of shape (batch, channels, height, width), or a tuple of inputs,
                   on the model's device
    dynamic_batch  whether the first axis of every input is left open
    more           further arguments of `torch.onnx.export`

    Normalization stays as operators of its own, and no tensor is renamed or computed in advance:
    only so can a plan for the file be carried out on the model. The model is exported in eval
    mode, and left in the mode that it was in.
    """
    check_kind(model)
    inputs = as_inputs(example)
    names = more.pop("input_names", ["input"] if len(inputs) == 1 else [f"input_{i}" for i in range(len(inputs))])
    if dynamic_batch:
        more.setdefault("dynamic_axes", {name: {0: "batch"} for name in names})
    path = Path(path)
    draft = path.with_name(path.name + ".draft.tmp")
    try:
        with evaluating(model), torch.no_grad(), warnings.catch_warnings():
            # The exporter that keeps names is the one that torch calls its old one.
            warnings.simplefilter("ignore", DeprecationWarning)
            # What torch's own layers ask of shapes while they are traced is nothing that a user can change.
            warnings.filterwarnings("ignore", category=torch.jit.TracerWarning, module=r"torch\.nn\.")
            torch.onnx.export(
                model,
                inputs,
                str(draft),
                dynamo=False,
                training=torch.onnx.TrainingMode.PRESERVE,
                do_constant_folding=False,
                opset_version=opset,
                input_names=names,
                **more,
            )
        file = onnx.load(str(draft))
        _store_each_tensor(file, model)
        # A plan names the module's own tensors, and not what would be computed from them in advance.
        onnx.helper.set_model_props(file, {**{p.key: p.value for p in file.metadata_props}, "locp.fold": "never"})
        onnx.save(file, str(draft))
        os.replace(draft, path)
    except (RuntimeError, ValueError, TypeError, AttributeError, torch.onnx.errors.OnnxExporterError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise LocpError(
            f"torch.onnx.export failed ({first}); see that `model(*example)` runs in eval mode, "
            "and that torch can export its operators"
        ) from error
    finally:
        draft.unlink(missing_ok=True)


def _store_each_tensor(file: onnx.ModelProto, model: nn.Module) -> None:
    """Gives tensors that were stored once, for being equal by chance, their own place under their own name.

    Fresh normalization is all zeros and ones. The exporter stores one of them and an Identity for
    each other one, whose output has the other one's name.
    """
    own = {name for name, _ in model.named_parameters()} | {name for name, _ in model.named_buffers()}
    stored = {tensor.name: tensor for tensor in file.graph.initializer}
    for node in list(file.graph.node):
        if node.op_type == "Identity" and node.input[0] in stored and node.output[0] in own:
            copy = onnx.TensorProto()
            copy.CopyFrom(stored[node.input[0]])
            copy.name = node.output[0]
            stored[copy.name] = copy
            file.graph.initializer.append(copy)
            file.graph.node.remove(node)
