"""The example runs, and its figures are what it says they are."""

import json
import os
import subprocess
import sys
from pathlib import Path

import locp

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "finetune_distill.py"


def test_it_prunes_and_fine_tunes(binary, tmp_path):
    words = [sys.executable, EXAMPLE, "--network", "tiny", "--epochs", "1", "--latency", "0.6x", "--binary", binary]
    words += ["--also-dense", "--scratch", "--json", tmp_path / "record.json"]
    environment = {**os.environ, "PYTHONPATH": str(Path(locp.__file__).parents[1])}
    done = subprocess.run(list(map(str, words)), env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "record.json").read_text())
    assert list(record["top1"]) == ["dense", "pruned", "fine-tuned", "dense fine-tuned", "from scratch"]
    for name, share in record["top1"].items():
        assert f"{name:16} top-1 {share:.2%} of 1,000" in done.stdout
        assert share > 0.3, f"{name} knows little more than chance"
    assert record["simulated"] and "SIMULATED" in done.stdout
    assert record["ratio"] <= 0.6 and record["parameters"][1] < record["parameters"][0]

    words[words.index("0.6x")] = "0.01x"
    done = subprocess.run(list(map(str, words)), env=environment, capture_output=True, text=True)
    assert done.returncode == 1 and "infeasible" in done.stderr and "Traceback" not in done.stderr
