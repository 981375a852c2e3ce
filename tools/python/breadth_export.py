"""Exports for the breadth check: random weights that matter, two exporters, and what
Torch-Pruning says about the same torch model.

A network's folder holds `facts.json`, a folder with `model.onnx` per exporter, and
`torch_pruning.json.gz`. Each step runs in a process of its own with a time limit, so
that an exporter that crashes or hangs is a line in the facts and not the end.
"""

import gzip
import hashlib
import json
import multiprocessing
import os
import shutil
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import nn

import breadth_models
import common

EXPORTERS = ("ts", "dynamo")
TORCH_PRUNING = "tp"
WEIGHTED = (nn.modules.conv._ConvNd, nn.Linear)
NORMS = nn.modules.batchnorm._BatchNorm
OPSET = 17


# ---------------------------------------------------------------- weights


def lively(model, size, seed, images=12):
    """common.lively() for any architecture.

    Beyond BatchNorm, every parameter whose elements are all equal gets random values:
    norms' scales, layer scales of 1e-6, and gammas of zero that would switch a residual
    branch off and hide whatever happens in it.
    """
    g = torch.Generator().manual_seed(seed)
    norms = [m for m in model.modules() if isinstance(m, NORMS)]
    with torch.no_grad():
        for m in model.modules():
            if isinstance(m, WEIGHTED):
                m.weight.normal_(0, (2 / m.weight[0].numel()) ** 0.5, generator=g)
                if m.bias is not None:
                    m.bias.normal_(0, 0.1, generator=g)
        for name, p in model.named_parameters():
            if not p.is_floating_point() or p.ndim == 0 or not (p == p.flatten()[0]).all():
                continue
            if p.numel() == 1:
                # A scalar gain of zero; other scalars are constants of an activation.
                if p.item() == 0:
                    p.fill_(0.5)
            elif name.endswith(("bias", "beta")):
                p.normal_(0, 0.1, generator=g)
            else:
                p.uniform_(0.7, 1.3, generator=g)
        for name, p in model.named_parameters():
            if p.ndim == 0 and p.item() == 0:
                p.fill_(0.5)
        for m in norms:
            if m.weight is not None:
                m.weight.uniform_(0.5, 1.5, generator=g)
                m.bias.normal_(0, 0.3, generator=g)
            m.reset_running_stats()
            m.momentum = None
        x = common.noise(images, 3, size, seed + 1)
        last = [None]
        hooks = [
            m.register_forward_hook(lambda m, *_: last.__setitem__(0, m))
            for m in model.modules()
            if isinstance(m, WEIGHTED)
        ]
        model.eval()
        for m in norms:
            m.train()
        model(x)
        for hook in hooks:
            hook.remove()
        for m in norms:
            m.momentum = 0.1
        model.eval()
        last[0].weight /= model(x).std().clamp(min=1e-20)
        y = model(x)
    std, between = float(y.std()), float(y.std(0).mean())
    if not (torch.isfinite(y).all() and std > 0.05 and between > 0.003 * std):
        raise RuntimeError(f"dead logits: std {std:.3g}, between images {between:.3g}")
    return model


def make(net):
    seed = int(hashlib.sha256(net.key.encode()).hexdigest()[:6], 16)
    torch.manual_seed(seed)
    model = breadth_models.build(net)
    return model if net.trained else lively(model, net.size, seed)


# ---------------------------------------------------------------- exporters


def export(model, path, size, exporter):
    """With a dynamic batch axis, and the exporter's own way to store weights."""
    image = common.noise(2, 3, size, 3)
    names = dict(input_names=["image"], output_names=["logits"])
    if exporter == "ts":
        torch.onnx.export(
            model,
            (image,),
            str(path),
            dynamo=False,
            opset_version=OPSET,
            dynamic_axes={"image": {0: "batch"}, "logits": {0: "batch"}},
            **names,
        )
    else:
        torch.onnx.export(
            model,
            (image,),
            str(path),
            dynamo=True,
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            verbose=False,
            **names,
        )


def export_and_compare(model, net, exporter, folder):
    """Facts about the finished export; the folder appears only when it is complete."""
    part = folder.with_suffix(".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    start = time.time()
    export(model, part / "model.onnx", net.size, exporter)
    seconds = time.time() - start
    x = common.noise(2, 3, net.size, 5)
    with torch.no_grad():
        want = model(x).numpy()
    got = common.run(part / "model.onnx", x, threads=1)
    error = float(np.abs(got - want).max() / np.abs(want).max())
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(part, folder)
    return {
        "seconds": round(seconds, 1),
        "bytes": sum(f.stat().st_size for f in folder.iterdir()),
        "torch_error": error,
        "std": float(want.std()),
    }


# ---------------------------------------------------------------- Torch-Pruning


class Classes:
    """Union-find over the positions of the weights' axes."""

    def __init__(self):
        self.start, self.length, self.parent = {}, {}, []

    def axis(self, key, length):
        if key not in self.start:
            self.start[key], self.length[key] = len(self.parent), length
            self.parent.extend(range(len(self.parent), len(self.parent) + length))
        return self.start[key]

    def find(self, i):
        while self.parent[i] != i:
            self.parent[i] = self.parent[self.parent[i]]
            i = self.parent[i]
        return i

    def unite(self, i, j):
        i, j = self.find(i), self.find(j)
        self.parent[max(i, j)] = min(i, j)

    def labels(self):
        return {
            key: [self.find(start + i) for i in range(self.length[key])]
            for key, start in self.start.items()
        }


def parameters(model):
    """Name to shape and digests of the values, as they are and with two axes swapped:
    an exporter that renames or transposes a weight is thereby found out."""
    digest = lambda a: hashlib.sha1(np.ascontiguousarray(a).tobytes()).hexdigest()
    found = {}
    for name, p in model.named_parameters():
        a = p.detach().numpy()
        found[name] = {"shape": list(a.shape), "sha1": digest(a)}
        if a.ndim == 2:
            found[name]["sha1_transposed"] = digest(a.T)
    return found


def weight_axis(module, is_out):
    """The axis of a module's weight that is cut, and its length.

    No axis stands for the input of a grouped convolution; "in" takes its place.
    """
    weight = getattr(module, "weight", None)
    if weight is None:
        return None
    if isinstance(module, nn.modules.conv._ConvTransposeNd):
        axis = None if module.groups > 1 else int(is_out)
    elif isinstance(module, nn.modules.conv._ConvNd):
        if not is_out and is_grouped(module):
            return "in", module.in_channels
        axis = int(not is_out and module.groups == 1)
    elif isinstance(module, nn.Linear):
        axis = int(not is_out)
    else:
        axis = 0 if weight.ndim == 1 else None
    return None if axis is None else (axis, weight.shape[axis])


def is_grouped(module):
    """With groups of several channels on some side; a depthwise one has none."""
    transposed = nn.modules.conv._ConvTransposeNd
    if not isinstance(module, nn.modules.conv._ConvNd) or isinstance(module, transposed):
        return False
    return module.groups > 1 and not module.groups == module.in_channels == module.out_channels


def torch_pruning(model, net, path):
    """Writes which positions of which weights' axes Torch-Pruning couples."""
    import torch_pruning as tp

    for p in model.parameters():
        p.requires_grad_(True)
    graph = tp.DependencyGraph()
    graph.build_dependency(model, common.noise(1, 3, net.size, 3), verbose=False)
    names = {module: name for name, module in model.named_modules()}
    classes = Classes()
    for group in graph.get_all_groups():
        first = {}
        for item in group.items:
            module = item.dep.target.module
            if not isinstance(module, nn.Module) or module not in names:
                continue
            axis = weight_axis(module, graph.is_out_channel_pruning_fn(item.dep.handler))
            if axis is None:
                continue
            start = classes.axis(f"{names[module]}.weight|{axis[0]}", axis[1])
            for position, root in zip(item.idxs, item.root_idxs):
                classes.unite(first.setdefault(root, start + position), start + position)
    # Its pruners, not its graph, keep a grouped convolution's groups equally wide; what
    # can go there for itself is a group with its inputs, and that is tied here.
    for module, name in names.items():
        if is_grouped(module):
            for axis, length in (("0", module.out_channels), ("in", module.in_channels)):
                start = classes.axis(f"{name}.weight|{axis}", length)
                size = length // module.groups
                for i in range(length):
                    group_start = classes.start[f"{name}.weight|0"]
                    group_start += i // size * (module.out_channels // module.groups)
                    classes.unite(group_start, start + i)
    with gzip.open(path, "wt") as f:
        json.dump({"labels": classes.labels(), "parameters": parameters(model)}, f)
    return {"axes": len(classes.start)}


# ---------------------------------------------------------------- one network


def in_child(what, seconds):
    """What a function answers, run in a forked process; its failure is an answer too."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)

    def body():
        try:
            theirs.send(what())
        except BaseException as e:
            text = " ".join(str(e).split())
            theirs.send({"failed": f"{type(e).__name__}: {text[:400]}"})

    child = context.Process(target=body)
    child.start()
    theirs.close()
    try:
        answer = ours.recv() if ours.poll(seconds) else {"failed": f"no end within {seconds} s"}
    except EOFError:
        answer = {"failed": "the process died"}
    child.kill()
    child.join()
    return answer


def read_facts(folder):
    try:
        return json.loads((folder / "facts.json").read_text())
    except FileNotFoundError:
        return {}


def is_missing(step, folder):
    """Whether it was not yet tried, or its files are gone."""
    facts = read_facts(folder)
    if step not in facts:
        return True
    is_gone = step in EXPORTERS and not (folder / step / "model.onnx").exists()
    return is_gone and "failed" not in facts[step]


def export_net(net, models, steps, seconds):
    """Carries out those steps that are missing; each one's facts are kept at once."""
    steps = [step for step in steps if is_missing(step, models / net.key)]
    if not steps:
        return
    folder = models / net.key
    folder.mkdir(parents=True, exist_ok=True)
    facts = {"key": net.key, "family": net.family, "size": net.size, **read_facts(folder)}

    def keep():
        (folder / "facts.part").write_text(json.dumps(facts, indent=1))
        os.replace(folder / "facts.part", folder / "facts.json")

    def all_steps():
        torch.set_num_threads(1)
        warnings.filterwarnings("ignore")
        start = time.time()
        try:
            model = make(net)
        except Exception as e:
            failed = {"failed": f"the torch model: {type(e).__name__}: {e}"[:400]}
            facts.update({step: failed for step in steps})
            keep()
            return {}
        facts["parameters"] = sum(p.numel() for p in model.parameters())
        facts["make_seconds"] = round(time.time() - start, 1)
        for step in steps:
            if step == TORCH_PRUNING:
                what = lambda: torch_pruning(model, net, folder / "torch_pruning.json.gz")
            else:
                what = lambda: export_and_compare(model, net, step, folder / step)
            facts[step] = in_child(what, seconds)
            keep()
        return {}

    in_child(all_steps, seconds * (len(steps) + 1))


def by_size(nets, models):
    """The smallest first, then further members of a family, the giants last.

    Parameters are known from an export, or counted on a model without weights.
    """

    def parameters_of(net):
        known = read_facts(models / net.key).get("parameters")
        if known or net.trained:
            return known or 0
        with torch.device("meta"):
            try:
                return sum(p.numel() for p in breadth_models.build(net).parameters())
            except Exception:  # some constructors compute with their weights
                return 10**7

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return sorted(nets, key=lambda net: (net.giant, net.extra, parameters_of(net)))
