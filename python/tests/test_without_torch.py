"""Without PyTorch the package imports, plans files, and says what to install for the rest."""

import subprocess
import sys
from pathlib import Path

import nets
import pytest

import locp

SRC = Path(locp.__file__).resolve().parents[1]
BLOCKED = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Blocked())
import locp
assert not any(name in sys.modules for name in ("torch", "onnx"))
"""


def said(script, blocked=("torch", "onnx", "onnxruntime")):
    words = [sys.executable, "-c", BLOCKED.format(blocked=set(blocked)) + script]
    done = subprocess.run(words, env={"PYTHONPATH": str(SRC)}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("blocked", ["torch", "onnx"])
def test_functions_say_what_to_install(blocked):
    script = """
from locp import apply
for name in locp._LATER:
    try:
        getattr(locp, name)(None)
    except locp.MissingDependency as error:
        assert isinstance(error, ImportError)
        print(error)
    except (locp.LocpError, TypeError):
        pass
print("done")
"""
    lines = said(script, blocked=[blocked]).splitlines()
    assert lines.pop() == "done"
    assert any("locp.prune needs" in line for line in lines)
    assert all(f"the package {blocked}" in line and "pip install 'locp[torch]'" in line for line in lines)


def test_every_name_is_there():
    assert sorted(locp.__all__) == sorted(set(locp.__all__))
    for name in locp.__all__:
        assert getattr(locp, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'prun'"):
        locp.prun


def test_files_are_planned(simulated, tmp_path):
    locp.export(nets.lively(nets.Chain), nets.example(), tmp_path / "dense.onnx")
    dense, output = str(tmp_path / "dense.onnx"), str(tmp_path / "out.onnx")
    script = f"""
plan = locp.plan_onnx({dense!r}, "0.7x", **{simulated!r})
plan, report = locp.prune_onnx({dense!r}, {output!r}, "0.7x", **{simulated!r})
print(len(plan.removed()), report)
"""
    assert "SIMULATED" in said(script)
    assert (tmp_path / "out.onnx").exists()
