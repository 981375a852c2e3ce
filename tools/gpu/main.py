#!/usr/bin/env python3
"""The main command on a GPU: a network narrowed by `locp prune`, and PyTorch as a witness who knows nothing of locp.

    main.py --locp bin/locp --out OUT --engine cuda --minutes 8 [--network mobilenet_v2]

torchvision's network (ResNet-50 by default) with random weights goes through `locp prune` in f16 at batch 64 and at
batch 1, with budgets from ambitious to modest until one is reached; the floor that locp names for those it cannot
reach is kept. Then PyTorch runs the same network, dense and at the plan's widths, in CUDA graphs (half,
channels_last, normalization folded), in turns. Where 0.6x is out of reach it goes on with residual streams narrowed
too. OUT/summary.md holds both ratios; plans and locp's answers lie beside it.
With a simulated engine locp's figures are simulated, and --device cpu --dry-run tries the witness without a GPU.
"""

import argparse
import json
import math
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

import torch
import torchvision

import timing

AMBITION = 0.6
STEP = 0.1
PAIRS = 31


def export(model, path, size):
    """One file with its weights inside and a batch of any size; by whichever exporter works here."""
    image = torch.zeros(2, 3, size, size)
    common = dict(input_names=["image"], output_names=["logits"])
    old = dict(opset_version=13, dynamic_axes={"image": {0: "batch"}, "logits": {0: "batch"}})
    new = dict(dynamo=True, external_data=False, verbose=False)
    reasons = []
    for exporter in ("dynamo", "torchscript", "torchscript by its old call"):
        try:
            if exporter == "dynamo":
                new["dynamic_shapes"] = ({0: torch.export.Dim("batch")},)
                torch.onnx.export(model, (image,), str(path), **new, **common)
            elif exporter == "torchscript":
                torch.onnx.export(model, (image,), str(path), dynamo=False, **old, **common)
            else:
                torch.onnx.export(model, (image,), str(path), **old, **common)
            return exporter
        except Exception as error:  # Each version fails in its own way, and the next exporter may do.
            reasons.append(f"{exporter}: {type(error).__name__}: {error}"[:300])
    sys.exit("no exporter works here; install onnx and onnxscript\n" + "\n".join(reasons))


def locp(args, *command):
    """Runs locp; its exit code and its answer."""
    line = [str(args.locp), *map(str, command), "--format", "json"]
    print("$", *line, flush=True)
    seconds = max(10, args.deadline - time.monotonic())
    try:
        done = subprocess.run(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=seconds)
    except subprocess.TimeoutExpired:
        return None, {"kind": "time-limit", "message": f"stopped after {seconds:.0f} s; what it measured is kept"}
    sys.stderr.write(done.stderr[-4000:])
    try:
        return done.returncode, json.loads(done.stdout)
    except json.JSONDecodeError:
        return done.returncode, {"kind": "no-answer", "message": (done.stdout + done.stderr)[-1000:]}


def next_budget(budget, answer):
    """A step more modest, or just above the floor that locp names, whichever is more."""
    floor = re.search(r"reaches is ([0-9.]+)x", answer.get("message", ""))
    above_floor = math.ceil(100 * float(floor.group(1)) + 0.5) / 100 if floor else 0
    return round(max(budget + STEP, above_floor), 2)


def prune(args, dense, batch, more):
    """The first budget that is reached, with everything that locp said on the way."""
    attempts = []
    budget = AMBITION
    while budget < 1:
        stem = f"batch{batch}{''.join(more)}-{budget}x"
        pruned, plan = args.out / f"{stem}.onnx", args.out / f"{stem}.plan.json"
        command = ["prune", dense, "--engine", args.engine, "--planner", args.planner]
        command += ["--dtype", "f16", "--batch", batch, "--latency", f"{budget}x"]
        command += ["-o", pruned, "--plan-out", plan, "--table", args.out / "table.redb", *more]
        code, answer = locp(args, *command)
        (args.out / f"{stem}.json").write_text(json.dumps(answer, indent=1) + "\n")
        attempts.append({"batch": batch, "budget": f"{budget}x", "more": more, "exit": code, "answer": answer})
        print(f"batch {batch}, {budget}x: exit {code}: {answer.get('message') or answer.get('ratio')}", flush=True)
        if code == 0:
            return attempts, pruned, json.loads(plan.read_text())
        if code != 1:  # An error, or no time; a more modest budget meets it as well.
            break
        budget = next_budget(budget, answer)
    return attempts, None, None


# ---------------------------------------------------------------- the witness


def positions(member, channel):
    """How many places a channel has on a member's axis."""
    return len(member["positions"][channel]) if "positions" in member else member.get("repeat", 1)


def widths_of(plan):
    """(tensor, axis) to how many positions the plan removes there."""
    removed = {}
    for group in plan["groups"]:
        kept = set(group["keep"])
        gone = [channel for channel in range(group["channels"]) if channel not in kept]
        for member in group["members"]:
            key = (member["tensor"], member["axis"])
            removed[key] = removed.get(key, 0) + sum(positions(member, channel) for channel in gone)
    return removed


def layers_of(model, size):
    """Convolutions and the classifier in the order in which they run, which is the order of the exported nodes."""
    found, hooks = [], []
    for name, module in model.named_modules():
        if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear)):
            hooks.append(module.register_forward_hook(lambda module, x, y, name=name: found.append((name, module))))
    model(torch.zeros(1, 3, size, size))
    for hook in hooks:
        hook.remove()
    return found


def is_linear(module):
    return isinstance(module, torch.nn.Linear)


def fresh(network):
    return getattr(torchvision.models, network)(weights=None).eval()


def norm_after(children, name):
    """The name of the normalization that stands right after a convolution among a module's children, if any does."""
    names = list(children)
    after = names[names.index(name) + 1 :][:1]
    return after[0] if after and isinstance(children[after[0]], torch.nn.BatchNorm2d) else None


def narrowed(network, plan, inspected, size):
    """A network at the plan's widths; layers are matched by their order and checked by their shapes."""
    model = fresh(network)
    modules = dict(model.named_modules())
    removed = widths_of(plan)
    layers = layers_of(model, size)
    if len(layers) != len(inspected["layers"]):
        sys.exit(f"locp sees {len(inspected['layers'])} layers, and PyTorch {len(layers)}")
    for (name, module), layer in zip(layers, inspected["layers"]):
        ends = "features" if is_linear(module) else "channels"
        shape = [getattr(module, f"out_{ends}"), getattr(module, f"in_{ends}")]
        c_in, c_out = (int(n) for n in next(w for w in layer["spec"].split() if ">" in w).split(">"))
        if shape != [c_out, c_in]:
            sys.exit(f"{name} has {shape[1]}>{shape[0]} channels, and {layer['name']} {c_in}>{c_out}")
        # A fully connected layer's weight may be stored either way.
        axes = [0, 1]
        if is_linear(module) and removed.get((layer["weight"], 0), 0) > 0:
            axes = [1, 0]
        c_out, c_in = (shape[i] - removed.get((layer["weight"], axes[i]), 0) for i in range(2))
        parent, _, attribute = name.rpartition(".")
        children = modules[parent]._modules
        bias = module.bias is not None
        if is_linear(module):
            new = torch.nn.Linear(c_in, c_out, bias)
        else:
            is_depthwise = module.groups == module.in_channels > 1
            c_in, groups = (c_out, c_out) if is_depthwise else (c_in, module.groups)
            window = (module.kernel_size, module.stride, module.padding, module.dilation)
            new = torch.nn.Conv2d(c_in, c_out, *window, groups=groups, bias=bias)
        children[attribute] = new
        norm = norm_after(children, attribute)
        if norm is not None:
            children[norm] = torch.nn.BatchNorm2d(c_out)
    return model.eval()


def fold(model):
    """The same network with each normalization folded into the convolution before it."""
    for module in list(model.modules()):
        children = module._modules
        for name in list(children):
            norm = norm_after(children, name)
            if isinstance(children[name], torch.nn.Conv2d) and norm is not None:
                children[name] = torch.nn.utils.fuse_conv_bn_eval(children[name], children[norm])
                children[norm] = torch.nn.Identity()
    return model


def shares(model):
    """Parameters, for a look at whether the two networks are what they should be."""
    return sum(p.numel() for p in model.parameters())


def witness(args, models, batch, size):
    """Dense and narrowed in turns: medians in milliseconds, the ratio and its interval."""
    dtype = torch.half if args.device == "cuda" else torch.float32
    # Random weights let activations grow from block to block; small images keep them within half precision.
    images = 0.01 * torch.randn(batch, 3, size, size, device=args.device, dtype=dtype)
    images = images.contiguous(memory_format=torch.channels_last)
    timed = []
    for model in models:
        model = fold(model).to(device=args.device, dtype=dtype, memory_format=torch.channels_last)
        timed.append(timing.Timed(lambda i, model=model: model(images), args.device))
    pairs = [tuple(t.reading_us() for t in timed) for _ in range(PAIRS if args.device == "cuda" else 5)]
    ratios = sorted(narrow / dense for dense, narrow in pairs)
    # Order statistics: of 31 pairs, the 10th and the 22nd bound the median at 97 %.
    low, high = (ratios[9], ratios[21]) if len(ratios) == 31 else (ratios[0], ratios[-1])
    dense, narrow = (statistics.median(pair[i] for pair in pairs) / 1e3 for i in range(2))
    ratio = {"ratio": statistics.median(ratios), "ratio_interval": [low, high], "pairs": len(pairs)}
    return {"dense_ms": dense, "pruned_ms": narrow, **ratio}


def summary(environment, results, args):
    label = "# DRY RUN, nothing here says anything about a GPU: " if args.dry_run else "# "
    text = f"{label}{args.network} in f16 on {environment['device']}\n\n"
    text += f"locp {environment['locp']}; PyTorch {environment['torch']}, cuDNN {environment['cudnn']}, exported by {environment['exporter']}.\n"
    text += "locp's times cover what `covers` says; PyTorch's are of the whole network in CUDA graphs.\n\n"
    text += "| batch | budget | locp: dense | pruned | ratio | covers | parameters | PyTorch: dense | pruned | ratio |\n"
    text += "|---|---|---|---|---|---|---|---|---|---|\n"
    interval = lambda values: f"[{values[0]:.3f}, {values[1]:.3f}]"
    for result in results:
        for attempt in result["attempts"]:
            answer = attempt["answer"]
            cells = [attempt["batch"], " ".join([attempt["budget"], *attempt["more"]])]
            if attempt["exit"] == 0:
                cells += [f"{answer['measured_dense_ms']:.4f} ms", f"{answer['measured_pruned_ms']:.4f} ms"]
                cells += [f"{answer['ratio']:.3f} {interval(answer['ratio_interval'])}", answer["covers"]]
                cells += [f"{answer['params_before']} to {answer['params_after']}"]
                seen = result["witness"]
                cells += [f"{seen['dense_ms']:.4f} ms", f"{seen['pruned_ms']:.4f} ms"]
                cells += [f"{seen['ratio']:.3f} {interval(seen['ratio_interval'])}"]
            else:
                cells += [f"not reached: {answer.get('message', '')}"] + [""] * 7
            text += "| " + " | ".join(str(cell).replace("|", "/").replace("\n", " ") for cell in cells) + " |\n"
    return text


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--locp", type=Path, required=True, help="the locp binary")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--engine", default="cuda", help="as locp takes it")
    parser.add_argument("--network", default="resnet50", choices=["resnet50", "mobilenet_v2", "vgg16"])
    parser.add_argument("--planner", default="exact", help="as locp takes it; exact proves how good its plan is")
    parser.add_argument("--batches", type=int, nargs="+", default=[64, 1])
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"], help="where PyTorch runs")
    parser.add_argument("--dry-run", action="store_true", help="labels the result as none")
    args = parser.parse_args()
    if args.device == "cuda" and not torch.cuda.is_available():
        parser.error("torch finds no CUDA device; --device cpu --dry-run tries everything else")
    args.deadline = time.monotonic() + 60 * args.minutes
    args.out.mkdir(parents=True, exist_ok=True)
    torch.set_grad_enabled(False)
    torch.backends.cudnn.benchmark = True

    size = 224
    torch.manual_seed(0)
    model = fresh(args.network)
    dense = args.out / f"{args.network}.onnx"
    exporter = export(model, dense, size)
    code, inspected = locp(args, "inspect", dense)
    if code != 0:
        sys.exit(f"locp inspect: {inspected}")

    environment = timing.environment(args.device)
    version = subprocess.run([str(args.locp), "--version"], stdout=subprocess.PIPE, text=True).stdout.split()[-1:]
    environment.update(exporter=exporter, engine=args.engine, locp=" ".join(version), seed=0)
    results = []
    # Residual streams are left alone by default, and where that is not enough, narrowed too.
    for batch, more in [(batch, more) for batch in args.batches for more in ([], ["--prune-residual"])]:
        if more and results[-1]["attempts"][-1]["budget"] == f"{AMBITION}x" and results[-1]["witness"]:
            continue
        attempts, pruned, plan = prune(args, dense, batch, more)
        result = {"attempts": attempts, "witness": None}
        results.append(result)
        if plan is not None:
            narrow = narrowed(args.network, plan, inspected, size)
            code, seen = locp(args, "inspect", pruned)
            if code != 0 or seen["parameters"] != attempts[-1]["answer"]["params_after"]:
                sys.exit(f"the pruned model is not what was reported: {seen}")
            print(f"PyTorch's parameters: {shares(model)} dense, {shares(narrow)} at the plan's widths", flush=True)
            # A CPU runs one small image, because nothing but the shapes is tried there.
            shape = (batch, size) if args.device == "cuda" else (1, 64)
            result["witness"] = witness(args, [fresh(args.network), narrow], *shape)
            pruned.unlink()
        text = summary(environment, results, args)
        seen = [{**result["attempts"][-1], "answer": None, "witness": result["witness"]} for result in results]
        (args.out / "results.json").write_text(json.dumps({**environment, "results": seen}, indent=1) + "\n")
        (args.out / "summary.md").write_text(text)
    print(text)
    reached = {result["attempts"][-1]["batch"] for result in results if result["witness"]}
    if reached != set(args.batches):
        sys.exit(1)


if __name__ == "__main__":
    main()
