"""LOCP for PyTorch: a model pruned in place to a latency that is measured on its device.

    import locp

    result = locp.prune(model, example, latency="0.6x", calib=images)
    train(result.model)    # the same module, narrower; make the optimizer now

One function each for the steps: `export`, `plan`, `prune_onnx`, `apply`, `taylor_scores`.
Functions on files need the `locp` program alone; the others `pip install 'locp[torch]'`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from .binary import find_binary, run
from .errors import (
    BinaryNotFound,
    CommandError,
    FoldedNormalization,
    ForwardError,
    LocpError,
    MismatchError,
    MissingDependency,
    MissingTensor,
    ModelFileError,
    PlanError,
    Refused,
    SharedTensor,
    UnsupportedModel,
)
from .files import plan_onnx, prune_onnx
from .plans import Plan
from .report import Report

if TYPE_CHECKING:
    from .applying import apply
    from .compare import difference
    from .exporting import export
    from .gone import Constant
    from .pipeline import Pruned, plan, prune
    from .taylor import save_scores, taylor_scores
    from .weights import Weights, read_weights

# What needs PyTorch or onnx, and where it is: loaded when it is first asked for.
_LATER = {
    "Constant": "gone",
    "apply": "applying",
    "difference": "compare",
    "export": "exporting",
    "Pruned": "pipeline",
    "plan": "pipeline",
    "prune": "pipeline",
    "save_scores": "taylor",
    "taylor_scores": "taylor",
    "Weights": "weights",
    "read_weights": "weights",
}

__all__ = [
    "BinaryNotFound",
    "CommandError",
    "FoldedNormalization",
    "ForwardError",
    "LocpError",
    "MismatchError",
    "MissingDependency",
    "MissingTensor",
    "ModelFileError",
    "Plan",
    "PlanError",
    "Refused",
    "Report",
    "SharedTensor",
    "UnsupportedModel",
    "find_binary",
    "plan_onnx",
    "prune_onnx",
    "run",
    *_LATER,
]


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module 'locp' has no attribute {name!r}")
    try:
        found = getattr(importlib.import_module(f".{_LATER[name]}", __name__), name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] not in ("torch", "onnx"):
            raise
        return _missing(name, error.name)
    globals()[name] = found
    return found


def _missing(name: str, package: str) -> Any:
    """Stands in for a function whose package is missing: importing works, and calling says what to install."""

    def missing(*_: Any, **__: Any) -> Any:
        raise MissingDependency(f"locp.{name} needs the package {package}: pip install 'locp[torch]'")

    missing.__name__ = name
    return missing
