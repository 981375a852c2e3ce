"""From a live model to a live, narrower one, in one call."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from .applying import prepare
from .checks import check_norms
from .compare import check_equal
from .exporting import export
from .files import plan_onnx, prune_onnx
from .plans import Plan
from .report import Report


@dataclass(frozen=True)
class Pruned:
    """What `prune` answers with.

    model   the model that was given, narrower now
    plan    what it kept
    report  latency and size before and after
    """

    model: nn.Module
    plan: Plan
    report: Report


def plan(
    model: nn.Module, example: Any, latency: str, *, binary: str | os.PathLike | None = None, **options: Any
) -> Plan:
    """Decides what every module keeps; changes nothing. `apply` carries the plan out.

    Arguments are those of `prune`, options flags of `locp plan`.
    """
    with tempfile.TemporaryDirectory(prefix="locp-") as folder:
        dense = Path(folder) / "model.onnx"
        export(model, example, dense)
        return plan_onnx(dense, latency, binary=binary, **options)


def prune(
    model: nn.Module,
    example: Any,
    latency: str,
    *,
    calib: Any = None,
    scores: Any = None,
    binary: str | os.PathLike | None = None,
    save_to: str | os.PathLike | None = None,
    verbose: bool = False,
    **options: Any,
) -> Pruned:
    """Prunes the model in place to a latency budget.

    example  an input of shape (batch, channels, height, width), or a tuple of inputs, on the model's device
    latency  "0.6x" of today's latency, or "12ms"
    calib    images without labels, an array of shape (images, channels, height, width) or a path, as
             `locp prune --calib` takes it: what remains is fitted to what the model computes on them
    scores   what channels are worth: `taylor_scores(...)`, or files as `locp prune --scores` takes them
    binary   the `locp` program, if neither LOCP_BIN nor the PATH has it
    save_to  a folder for model.onnx, pruned.onnx and plan.json
    verbose  shows the program's progress on stderr
    options  any flag of `locp prune`: engine="tract", batch=8, dtype="f16", prune_residual=True,
             freeze=["conv1*"], multiple_of=8, keep_branches=True, ...; `extra=[...]` for words as they are

    Raises a LocpError where anything is wrong or the result would not be faster; the model and the
    disk are then as they were. Make the optimizer afterwards: parameters are new objects.
    """
    check_norms(model)
    with tempfile.TemporaryDirectory(prefix="locp-") as folder:
        dense, pruned = Path(folder) / "model.onnx", Path(folder) / "pruned.onnx"
        export(model, example, dense)
        made, report = prune_onnx(
            dense, pruned, latency, binary=binary, verbose=verbose, calib=calib, scores=scores, **options
        )
        change = prepare(model, made, pruned, example, file=dense)
        try:
            check_equal(model, example, pruned)
            if save_to is not None:
                _save(Path(save_to), made, [dense, pruned])
        except BaseException:
            change.undo()
            raise
    return Pruned(model, made, report)


def _save(folder: Path, plan: Plan, files: list[Path]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        shutil.copyfile(file, folder / file.name)
    plan.save(folder / "plan.json")
