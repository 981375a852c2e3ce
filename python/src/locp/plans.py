"""What a plan says: which positions of which tensors stay."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import PlanError, SharedTensor

SCHEMAS = ("locp.plan/1", "locp.prune/1", "locp.align/1")
AGAIN = "make one with `locp.plan` or `locp.plan_onnx`"


@dataclass(frozen=True, repr=False)
class Plan:
    """A plan as `plan.json` holds it; `raw` has every field."""

    raw: dict[str, Any]

    @classmethod
    def of(cls, plan: Plan | dict[str, Any] | str | os.PathLike) -> Plan:
        """A plan from a plan, the content of a file, or the path of one."""
        if isinstance(plan, cls):
            return plan
        if isinstance(plan, dict):
            return cls.checked(plan, "the plan")
        path = Path(plan)
        try:
            raw = json.loads(path.read_bytes())
        except OSError as error:
            raise PlanError(f"{path} cannot be read ({error.strerror}); {AGAIN}") from error
        except ValueError as error:
            raise PlanError(f"{path} is no JSON ({error}); {AGAIN}") from error
        return cls.checked(raw, str(path))

    @classmethod
    def checked(cls, raw: Any, source: str) -> Plan:
        """The plan, once every field that is used has been looked at."""
        if not isinstance(raw, dict) or not isinstance(raw.get("groups"), list):
            raise PlanError(f"{source} is no plan, for it has no list `groups`; {AGAIN}")
        if raw.get("schema") not in SCHEMAS:
            raise PlanError(f"{source} has the schema {raw.get('schema')!r}, this version reads {SCHEMAS[0]}; {AGAIN}")
        for number, group in enumerate(raw["groups"]):
            what = _wrong_with(group)
            if what:
                name = group.get("name", number) if isinstance(group, dict) else number
                raise PlanError(f"{source}: group {name}: {what}; {AGAIN}")
        return cls(raw)

    def __repr__(self) -> str:
        left = sum(len(group["keep"]) for group in self.groups)
        return f"<Plan: {len(self.groups)} groups keep {left} of {sum(g['channels'] for g in self.groups)} channels>"

    @property
    def groups(self) -> list[dict[str, Any]]:
        """Channel groups: `name`, `channels`, `keep` and `members`."""
        return self.raw["groups"]

    @property
    def branches(self) -> list[dict[str, Any]]:
        """The groups that keep no channel: each is the inside of a residual branch, which goes as a whole."""
        return [group for group in self.groups if not group["keep"]]

    @property
    def modules(self) -> dict[str, dict[str, Any]]:
        """What each module keeps, by its name in PyTorch."""
        return self.raw.get("modules", {})

    @property
    def simulated(self) -> bool:
        """Whether its latencies come from an analytic model of a device."""
        return bool(self.raw.get("simulated"))

    def save(self, path: str | os.PathLike) -> None:
        """Writes it as `locp apply --plan` reads it."""
        Path(path).write_text(json.dumps(self.raw, indent=2) + "\n")

    def removed(self) -> dict[tuple[str, int], list[int]]:
        """(tensor, axis) -> the positions that go, ascending, for every axis that the plan shortens."""
        gone: dict[tuple[str, int], set[int]] = {}
        claims: dict[tuple[str, int, int], bool] = {}
        for group in self.groups:
            kept = set(group["keep"])
            for member in group["members"]:
                axis = (member["tensor"], member["axis"])
                for channel in range(group["channels"]):
                    for position in positions(member, channel):
                        # Several members of one tensor are the parts of a concatenation. Two that claim
                        # one position and disagree cannot be carried out on one tensor.
                        stays = claims.setdefault((*axis, position), channel in kept)
                        if stays != (channel in kept):
                            raise SharedTensor(
                                f"{axis[0]} is used in several places which lose different channels: give each "
                                "place a module of its own, or keep all of its channels with `freeze`",
                                axis[0],
                            )
                        if not stays:
                            gone.setdefault(axis, set()).add(position)
        return {axis: sorted(positions) for axis, positions in gone.items()}

    def least_lengths(self) -> dict[tuple[str, int], int]:
        """(tensor, axis) -> how long the axis is at least before pruning."""
        least: dict[tuple[str, int], int] = {}
        for group in self.groups:
            for member in group["members"]:
                axis = (member["tensor"], member["axis"])
                last = max(max(positions(member, c), default=-1) for c in range(group["channels"]))
                least[axis] = max(least.get(axis, 0), last + 1)
        return least


def positions(member: dict[str, Any], channel: int) -> list[int]:
    """The positions of the member's axis that belong to a channel of its group."""
    if "positions" in member:
        return member["positions"][channel]
    first = member["offset"] + channel * member["repeat"]
    return list(range(first, first + member["repeat"]))


def _is_count(value: Any, least: int = 0) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _wrong_with(group: Any) -> str | None:
    """What is wrong with a group, or None."""
    if not isinstance(group, dict):
        return "it is no object"
    channels, keep, members = (group.get(field) for field in ("channels", "keep", "members"))
    if not _is_count(channels, 1):
        return f"`channels` is {channels!r}, not a number from 1"
    if not isinstance(keep, list) or not all(_is_count(k) and k < channels for k in keep):
        return f"`keep` must be a list of numbers below {channels}"
    if any(a >= b for a, b in zip(keep, keep[1:])):
        return "`keep` is not ascending"
    if not isinstance(members, list):
        return "it has no list `members`"
    for member in members:
        is_named = isinstance(member, dict) and isinstance(member.get("tensor"), str)
        if not is_named or not _is_count(member.get("axis")):
            return "a member lacks its `tensor` or its `axis`"
        listed = member.get("positions")
        if listed is None:
            if not _is_count(member.get("offset")) or not _is_count(member.get("repeat"), 1):
                return f"the member {member['tensor']} has neither `positions` nor `offset` and `repeat`"
        elif not isinstance(listed, list) or len(listed) != channels:
            return f"the member {member['tensor']} has no list of `positions` for each of {channels} channels"
        elif not all(isinstance(own, list) and all(map(_is_count, own)) for own in listed):
            return f"the `positions` of the member {member['tensor']} are no lists of numbers"
    return None
