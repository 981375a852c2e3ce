"""Files that are no plans."""

import copy
import json

import pytest

import locp

GOOD = {
    "schema": "locp.plan/1",
    "groups": [
        {
            "name": "conv", "channels": 4, "keep": [0, 2],
            "members": [
                {"tensor": "conv.weight", "axis": 0, "role": "producer", "offset": 0, "repeat": 1},
                {"tensor": "fc.weight", "axis": 1, "role": "consumer", "offset": 3, "repeat": 2},
                {"tensor": "mixed", "axis": 0, "role": "consumer", "positions": [[0, 4], [1, 5], [2, 6], [3, 7]]},
            ],
        }
    ],
}  # fmt: skip


def test_positions_that_go():
    assert locp.Plan.of(GOOD).removed() == {
        ("conv.weight", 0): [1, 3],
        ("fc.weight", 1): [5, 6, 9, 10],
        ("mixed", 0): [1, 3, 5, 7],
    }
    assert locp.Plan.of(GOOD).least_lengths() == {("conv.weight", 0): 4, ("fc.weight", 1): 11, ("mixed", 0): 8}
    assert repr(locp.Plan.of(GOOD)) == "<Plan: 1 groups keep 2 of 4 channels>"


def test_a_group_of_which_nothing_stays():
    raw = copy.deepcopy(GOOD)
    raw["groups"][0]["keep"] = []
    plan = locp.Plan.of(raw)
    assert plan.branches == raw["groups"] and locp.Plan.of(GOOD).branches == []
    assert plan.removed()["conv.weight", 0] == [0, 1, 2, 3]


def test_two_groups_that_disagree_on_a_position():
    raw = copy.deepcopy(GOOD)
    raw["groups"].append({**raw["groups"][0], "name": "other", "keep": [0, 1]})
    with pytest.raises(locp.SharedTensor, match="conv.weight"):
        locp.Plan.of(raw).removed()


@pytest.mark.parametrize(
    "path, value, says",
    [
        (["schema"], "locp.plan/9", "locp.plan/9"),
        (["groups"], None, "no list `groups`"),
        (["groups", 0], 3, "no object"),
        (["groups", 0, "channels"], 0, "`channels`"),
        (["groups", 0, "keep"], None, "`keep`"),
        (["groups", 0, "keep"], [0, 4], "below 4"),
        (["groups", 0, "keep"], [2, 0], "ascending"),
        (["groups", 0, "keep"], [0, True], "`keep`"),
        (["groups", 0, "members"], {}, "`members`"),
        (["groups", 0, "members", 0, "axis"], -1, "`axis`"),
        (["groups", 0, "members", 0, "repeat"], 0, "`repeat`"),
        (["groups", 0, "members", 2, "positions"], [[0]], "`positions`"),
        (["groups", 0, "members", 2, "positions", 1], [-1], "`positions`"),
    ],
)
def test_what_is_wrong_is_said(path, value, says, tmp_path):
    raw = copy.deepcopy(GOOD)
    *way, last = path
    place = raw
    for step in way:
        place = place[step]
    place[last] = value
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(raw))
    with pytest.raises(locp.PlanError) as error:
        locp.Plan.of(file)
    assert says in str(error.value) and "plan.json" in str(error.value) and "`locp.plan`" in str(error.value)


@pytest.mark.parametrize("text", ["", "{", "[1]", "\x00\xff", "null"])
def test_text_that_is_no_plan(text, tmp_path):
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises(locp.PlanError, match="plan.json"):
        locp.Plan.of(tmp_path / "plan.json")


def test_no_file(tmp_path):
    with pytest.raises(locp.PlanError, match="cannot be read"):
        locp.Plan.of(tmp_path / "none.json")
