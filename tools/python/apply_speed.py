#!/usr/bin/env python3
"""How long `locp apply` takes at half width, and how much private memory.

    cargo build --release --locked -p locp-cli
    python tools/python/apply_speed.py --locp target/release/locp --work DIR

Needs `onnx` and `numpy` alone. Writes ResNet-50 (98 MB) and VGG-16 (553 MB) with random weights into DIR, inside one
file and with a data file beside it, where they are kept for the next run. Every prunable group keeps each second
channel, which cuts weights into the shortest runs there are. Each round runs `apply` as a process of its own and
copies the same source bytes to the same folder; the best of the rounds counts, and the ratio is of one round.

Private memory is the largest `RssAnon` in /proc while the process runs: maps of files are not in it.
Exit 1 if a pruned model has not half of the channels, or if ONNX's checker refuses it.
"""

import argparse
import json
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


class Net:
    """A graph under construction; every layer's output is named like the layer."""

    def __init__(self):
        self.nodes, self.weights, self.rng = [], [], np.random.default_rng(0)

    def weight(self, name, shape):
        values = self.rng.standard_normal(shape, dtype=np.float32) * (2 / np.prod(shape[1:] or [1])) ** 0.5
        self.weights.append(numpy_helper.from_array(values.astype(np.float32), name))

    def op(self, kind, name, inputs, **attributes):
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def conv(self, name, x, c_in, c_out, kernel, stride=1, relu=True):
        self.weight(f"{name}.weight", (c_out, c_in, kernel, kernel))
        self.weight(f"{name}.bias", (c_out,))
        pads = [kernel // 2] * 4
        y = self.op("Conv", name, [x, f"{name}.weight", f"{name}.bias"], pads=pads, strides=[stride] * 2)
        return self.op("Relu", f"{name}.relu", [y]) if relu else y

    def fc(self, name, x, c_in, c_out):
        self.weight(f"{name}.weight", (c_out, c_in))
        self.weight(f"{name}.bias", (c_out,))
        return self.op("Gemm", name, [x, f"{name}.weight", f"{name}.bias"], transB=1)

    def save(self, y, path, outside):
        shape = lambda name, dims: helper.make_tensor_value_info(name, TensorProto.FLOAT, dims)
        graph = helper.make_graph(
            self.nodes, "net", [shape("image", ["n", 3, 224, 224])], [shape(y, ["n", 1000])], self.weights
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        data = {"save_as_external_data": True, "location": path.name + ".data"} if outside else {}
        onnx.save_model(model, path, **data)


def resnet50(path, outside):
    net = Net()
    x = net.conv("stem", "image", 3, 64, 7, 2)
    x = net.op("MaxPool", "pool", [x], kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    c_in = 64
    for stage, (blocks, width) in enumerate([(3, 64), (4, 128), (6, 256), (3, 512)]):
        for block in range(blocks):
            name, stride = f"s{stage}b{block}", 2 if stage and not block else 1
            y = net.conv(f"{name}.1", x, c_in, width, 1)
            y = net.conv(f"{name}.2", y, width, width, 3, stride)
            y = net.conv(f"{name}.3", y, width, 4 * width, 1, relu=False)
            if not block:
                x = net.conv(f"{name}.down", x, c_in, 4 * width, 1, stride, relu=False)
            x = net.op("Relu", f"{name}.out", [net.op("Add", f"{name}.sum", [y, x])])
            c_in = 4 * width
    x = net.op("Flatten", "flat", [net.op("GlobalAveragePool", "mean", [x])])
    net.save(net.fc("logits", x, 2048, 1000), path, outside)


def vgg16(path, outside):
    net = Net()
    x, c_in = "image", 3
    for stage, (blocks, width) in enumerate([(2, 64), (2, 128), (3, 256), (3, 512), (3, 512)]):
        for block in range(blocks):
            x, c_in = net.conv(f"s{stage}b{block}", x, c_in, width, 3), width
        x = net.op("MaxPool", f"pool{stage}", [x], kernel_shape=[2, 2], strides=[2, 2])
    x = net.op("Flatten", "flat", [x])
    x = net.op("Relu", "fc1.relu", [net.fc("fc1", x, 512 * 49, 4096)])
    x = net.op("Relu", "fc2.relu", [net.fc("fc2", x, 4096, 4096)])
    net.save(net.fc("logits", x, 4096, 1000), path, outside)


def plan(locp, model, path):
    """Each second channel of every prunable group."""
    found = json.loads(subprocess.run([locp, "--format", "json", "inspect", model], check=True, capture_output=True).stdout)
    groups = [g for g in found["groups"] if g.get("frozen") is None]
    keep = lambda g: {k: g[k] for k in ("id", "name", "channels", "members")} | {"keep": list(range(0, g["channels"], 2))}
    path.write_text(json.dumps({"schema": "locp.plan/1", "model": found["model"], "groups": [keep(g) for g in groups]}))
    return found


def run(command):
    """Seconds, and the largest private memory in bytes."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    peak = 0

    def watch():
        nonlocal peak
        status = Path(f"/proc/{process.pid}/status")
        while process.returncode is None:
            try:
                lines = status.read_text().splitlines()
            except OSError:
                return
            anon = [int(line.split()[1]) << 10 for line in lines if line.startswith("RssAnon")]
            peak = max([peak, *anon])
            time.sleep(0.0005)

    watcher = threading.Thread(target=watch)
    watcher.start()
    out, _ = process.communicate()
    seconds = time.perf_counter() - start
    watcher.join()
    if process.returncode:
        sys.exit(f"{command} failed")
    return seconds, peak, out


def files_of(model):
    return [p for p in (model, model.with_name(model.name + ".data")) if p.exists()]


def measure(locp, build, name, outside, work, rounds):
    folder, target = work / (name + ("-outside" if outside else "")), work / "out"
    folder.mkdir(parents=True, exist_ok=True)
    target.mkdir(exist_ok=True)
    model, plan_path, output = folder / f"{name}.onnx", folder / "half.json", target / f"{name}.onnx"
    if not model.exists():
        build(model, outside)
    before = plan(locp, model, plan_path)
    size = sum(p.stat().st_size for p in files_of(model))
    runs = []
    for _ in range(rounds):
        for old in target.iterdir():
            old.unlink()
        seconds, peak, _ = run([locp, "apply", model, "--plan", plan_path, "-o", output])
        start = time.perf_counter()
        for source in files_of(model):
            shutil.copyfile(source, target / (source.name + ".copy"))
        copy = time.perf_counter() - start
        runs.append((seconds, peak, copy))
    onnx.checker.check_model(str(output))
    after = plan(locp, output, target / "after.json")
    channels = lambda found: sum(g["channels"] for g in found["groups"] if g.get("frozen") is None)
    ok = channels(after) * 2 == channels(before) and len(files_of(output)) == len(files_of(model))
    seconds = min(r[0] for r in runs)
    peak = max(r[1] for r in runs)
    ratios = sorted(r[0] / r[2] for r in runs)
    print(
        f"{folder.name:18} {size / 1e6:6.0f} MB -> {sum(p.stat().st_size for p in files_of(output)) / 1e6:6.0f} MB"
        f"  apply {seconds:6.3f} s  copy {min(r[2] for r in runs):6.3f} s  median ratio {ratios[len(ratios) // 2]:5.2f}"
        f"  private {peak / 1e6:6.1f} MB = {peak / size:.3f} of the source{'' if ok else '  WRONG'}"
    )
    return ok


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--locp", required=True)
    parser.add_argument("--work", required=True, type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    args = parser.parse_args()
    cases = [(build, name, outside) for build, name in ((resnet50, "resnet50"), (vgg16, "vgg16")) for outside in (False, True)]
    results = [measure(args.locp, build, name, outside, args.work, args.rounds) for build, name, outside in cases]
    sys.exit(not all(results))


if __name__ == "__main__":
    main()
