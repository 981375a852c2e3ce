"""What pruning came to: latency and size, before and after."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .errors import CommandError

SCHEMA = "locp.prune/1"


@dataclass(frozen=True, repr=False)
class Report:
    """The result of `locp prune`; `raw` has every field, times are milliseconds."""

    raw: dict[str, Any]

    def __post_init__(self) -> None:
        if self.raw.get("schema") != SCHEMA:
            message = (
                f"the program's result has the schema {self.raw.get('schema')!r}, this package reads {SCHEMA}; "
                "take the package and the program from the same release"
            )
            raise CommandError(kind="schema", message=message)

    @property
    def dense_ms(self) -> float:
        """Latency of the model as it was, timed next to the pruned one."""
        return self.raw["measured_dense_ms"]

    @property
    def pruned_ms(self) -> float:
        """Latency of the pruned model."""
        return self.raw["measured_pruned_ms"]

    @property
    def ratio(self) -> float:
        """Pruned over dense."""
        return self.raw["ratio"]

    @property
    def ratio_interval(self) -> tuple[float, float]:
        """Its 95 % interval."""
        low, high = self.raw["ratio_interval"]
        return low, high

    @property
    def parameters(self) -> tuple[int, int]:
        """Elements of all weights before and after."""
        return self.raw["params_before"], self.raw["params_after"]

    @property
    def simulated(self) -> bool:
        """Whether the latencies come from an analytic model of a device."""
        return bool(self.raw.get("simulated"))

    @property
    def recorded(self) -> bool:
        """Whether the latencies come from a table that was recorded elsewhere."""
        return bool(self.raw.get("recorded"))

    def __repr__(self) -> str:
        return f"<Report: {self}>"

    def __str__(self) -> str:
        before, after = self.parameters
        label = " SIMULATED, not measured on a device" if self.simulated else ""
        label = " RECORDED elsewhere, not measured here" if self.recorded else label
        covers = "" if self.raw.get("covers") == "whole-model" else " (convolutions only)"
        return (
            f"latency {self.dense_ms:.4g} ms -> {self.pruned_ms:.4g} ms, {self.ratio:.3f}x{covers}, "
            f"parameters {before:,} -> {after:,}, on {self.raw.get('engine')}{label}"
        )
