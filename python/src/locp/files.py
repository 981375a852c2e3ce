"""Planning and pruning of ONNX files; needs the `locp` program and no PyTorch."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from .binary import run
from .plans import Plan
from .report import Report


def as_array(value: Any) -> np.ndarray:
    """A numpy array of an array or a tensor on any device, in a type that `locp` reads."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        value = value.float() if value.dtype.is_floating_point else value
        value = value.numpy()
    array = np.ascontiguousarray(value)
    return array.astype(np.float32) if array.dtype == np.float16 else array


def _staged(options: dict[str, Any], model: Path, folder: Path, binary: Any) -> dict[str, Any]:
    """The options with every array among them written to a file in `folder`."""
    staged = dict(options)
    for name, value in options.items():
        if hasattr(value, "__array__"):
            staged[name] = folder / f"{name}.npy"
            np.save(staged[name], as_array(value))
    if isinstance(options.get("scores"), dict):
        groups = run("inspect", model, binary=binary)["groups"]
        known = {member["tensor"] for group in groups for member in group["members"]}
        # The program refuses scores of a tensor that no channel group has, as one that nobody can prune.
        scores = {name: as_array(array) for name, array in options["scores"].items() if name in known}
        staged["scores"] = folder / "scores.npz"
        np.savez(staged["scores"], **scores)
    return staged


def plan_onnx(
    model: str | os.PathLike,
    latency: str,
    *,
    binary: str | os.PathLike | None = None,
    verbose: bool = False,
    **options: Any,
) -> Plan:
    """`locp plan` on an ONNX file.

    latency  the budget: "0.6x" of today's latency, or "12ms"
    options  any flag of `locp plan`, for example engine="tract", batch=8, prune_residual=True,
             freeze=["conv1*"], or extra=["--planner", "exact"]. `calib` is an array of shape
             (images, channels, height, width) or a path, as `--calib` takes it; `scores` a dict of
             arrays by tensor name, or the path of a file.
    """
    with tempfile.TemporaryDirectory(prefix="locp-") as folder:
        output = Path(folder) / "plan.json"
        staged = _staged(options, Path(model), Path(folder), binary)
        run("plan", model, binary=binary, verbose=verbose, output=output, latency=latency, **staged)
        return Plan.of(output)


def prune_onnx(
    model: str | os.PathLike,
    output: str | os.PathLike,
    latency: str,
    *,
    binary: str | os.PathLike | None = None,
    verbose: bool = False,
    **options: Any,
) -> tuple[Plan, Report]:
    """`locp prune` on an ONNX file: writes the pruned model to `output` and answers with its plan and report.

    Arguments are those of `plan_onnx`; `options` are flags of `locp prune`. Where the result is not
    faster, or anything else is wrong, nothing is written.
    """
    with tempfile.TemporaryDirectory(prefix="locp-") as folder:
        plan = Path(folder) / "plan.json"
        staged = _staged(options, Path(model), Path(folder), binary)
        found = run(
            "prune", model, binary=binary, verbose=verbose, output=output, plan_out=plan, latency=latency, **staged
        )
        return Plan.of(plan), Report(found)
