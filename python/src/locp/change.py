"""A set of changes to a model: made all at once, or undone."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn


class Change:
    """Collects new values for entries of modules' dictionaries; nothing is touched before `make`."""

    def __init__(self) -> None:
        self._new: list[tuple[dict, str, Any]] = []
        self._old: list[tuple[dict, str, Any]] = []

    def set(self, held: dict, key: str, value: Any) -> None:
        """Plans that `held[key]` becomes `value`."""
        self._new.append((held, key, value))

    def make(self) -> None:
        """Makes the changes. None of the assignments can fail."""
        for held, key, value in self._new:
            self._old.append((held, key, held[key]))
            held[key] = value

    def undo(self) -> None:
        """Puts back what was there, the very same objects."""
        while self._old:
            held, key, value = self._old.pop()
            held[key] = value


def like(old: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """`values` as a parameter or buffer as `old` is one: its type, device, memory format and requires_grad."""
    new = values.to(device=old.device, dtype=old.dtype)
    is_last = old.dim() == 4 and not old.is_contiguous() and old.is_contiguous(memory_format=torch.channels_last)
    new = new.contiguous(memory_format=torch.channels_last if is_last else torch.contiguous_format)
    return nn.Parameter(new, old.requires_grad) if isinstance(old, nn.Parameter) else new
