#!/usr/bin/env python3
"""The convolutions of a recorded table through PyTorch, and how PyTorch's time compares.

    versus_torch.py --table OURS/table.jsonl --out OUT --minutes 4

PyTorch runs channels_last with cudnn.benchmark, by the method of timing.py; weights rotate through twice the last-level
cache, as in the table. Each time is written to OUT/samples.jsonl as it comes and skipped when the same folder is gone
on with. OUT/summary.md holds the ratios, ours over PyTorch's: below 1 ours is the shorter time.
The table's convolutions must have no epilogue beyond a bias, so that both sides do the same work; others are left out.
"""

import argparse
import json
import random
import statistics
import time
from pathlib import Path

import torch

import timing

DTYPES = {"f32": torch.float32, "tf32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}
EPILOGUES = ("add", "relu", "relu6", "silu", "sigmoid", "hardswish")


def parse(text):
    """A conv spec's canonical text as a dict; nothing where the work would differ."""
    spec = dict(batch=1, kernel=(1, 1), stride=(1, 1), padding=(0, 0), dilation=(1, 1), groups=1, dtype="f32")
    spec.update(layout="nchw", bias=False)
    pair = lambda word: tuple(int(n) for n in word.split("x")) * (1 if "x" in word else 2)
    fields = {"k": "kernel", "s": "stride", "d": "dilation"}
    for word in text.split():
        if word in EPILOGUES:
            return None
        if word in DTYPES:
            spec["dtype"] = word
        elif word in ("nchw", "nhwc"):
            spec["layout"] = word
        elif word == "bias":
            spec["bias"] = True
        elif ">" in word:
            spec["c_in"], spec["c_out"] = (int(n) for n in word.split(">"))
        elif word[0] == "n":
            spec["batch"] = int(word[1:])
        elif word[0] == "g":
            spec["groups"] = int(word[1:])
        elif word[0] == "p":
            sides = [int(n) for n in word[1:].split(".")] * (1 if "." in word else 4)
            if sides[:2] != sides[2:]:
                return None
            spec["padding"] = tuple(sides[:2])
        elif word[0] in fields:
            spec[fields[word[0]]] = pair(word[1:])
        else:
            spec["height"], spec["width"] = pair(word)
    return spec


def read_table(path):
    """The machine, and spec text to median in microseconds; a torn last line is left out."""
    machine, medians = None, {}
    for line in path.read_text().splitlines():
        try:
            row = json.loads(line)
        except json.JSONDecodeError:
            continue
        if row["cache"] == "network":
            machine = row["machine"]
            medians.setdefault(row["spec"], row["median_ns"] / 1e3)
    return machine, medians


def torch_us(spec, device):
    torch.backends.cudnn.allow_tf32 = spec["dtype"] == "tf32"
    dtype = DTYPES[spec["dtype"]] if device == "cuda" else torch.float32
    memory_format = torch.channels_last if spec["layout"] == "nhwc" else torch.contiguous_format
    tensor = lambda *dims: torch.randn(*dims, device=device, dtype=dtype)
    x = tensor(spec["batch"], spec["c_in"], spec["height"], spec["width"]).contiguous(memory_format=memory_format)
    weight = tensor(spec["c_out"], spec["c_in"] // spec["groups"], *spec["kernel"]) * 0.05
    weights = timing.copies(weight.contiguous(memory_format=memory_format), device)
    bias = tensor(spec["c_out"]) if spec["bias"] else None

    def call(i):
        w = weights[i % len(weights)]
        torch.nn.functional.conv2d(x, w, bias, spec["stride"], spec["padding"], spec["dilation"], spec["groups"])

    return timing.median_us(call, device)


def known(path):
    """The rows of an earlier run; what a kill tore at the end is cut off."""
    text = path.read_text() if path.exists() else ""
    whole = text[: text.rfind("\n") + 1]
    if whole != text:
        path.write_text(whole)
    return [json.loads(line) for line in whole.splitlines()]


def summary(rows, machine, environment, total, dry_run):
    label = "# DRY RUN, no comparison: " if dry_run else "# "
    versions = f"PyTorch {environment['torch']} with cuDNN {environment['cudnn']}"
    text = f"{label}{machine['device']}: ours against {versions}\n\n"
    text += f"Ours: {machine['library']}, {machine['policy']}. PyTorch: channels_last, cudnn.benchmark.\n"
    text += f"{len(rows)} of {total} convolutions are compared.\n\n"
    text += "| type | batch | convolutions | median of ours / PyTorch's | from | to | ours is slower by over 2 % |\n"
    text += "|---|---|---|---|---|---|---|\n"
    kinds = {}
    for row in rows:
        spec = parse(row["spec"])
        kinds.setdefault((spec["dtype"], spec["batch"]), []).append(row["ratio"])
    for (dtype, batch), ratios in sorted(kinds.items()):
        median, slower = statistics.median(ratios), sum(ratio > 1.02 for ratio in ratios)
        text += f"| {dtype} | {batch} | {len(ratios)} | {median:.3f} | {min(ratios):.3f} | {max(ratios):.3f} | {slower} |\n"
    if rows:
        median = statistics.median(row["ratio"] for row in rows)
        text += f"\nMedian over all: {median:.3f}.\n\n| convolution | ours | PyTorch | ratio |\n|---|---|---|---|\n"
    for row in sorted(rows, key=lambda row: row["ratio"]):
        text += f"| {row['spec']} | {row['ours_us']:.2f} us | {row['torch_us']:.2f} us | {row['ratio']:.3f} |\n"
    return text


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", type=Path, required=True, help="a recorded table")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--minutes", type=float, default=4)
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--dry-run", action="store_true", help="a few small convolutions, labelled as such")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    if args.device == "cuda" and not torch.cuda.is_available():
        parser.error("torch finds no CUDA device; --device cpu --dry-run tries everything else")
    torch.set_grad_enabled(False)
    torch.manual_seed(args.seed)
    torch.backends.cudnn.benchmark = True
    args.out.mkdir(parents=True, exist_ok=True)

    machine, ours = read_table(args.table)
    wanted = [text for text in ours if parse(text)]
    random.Random(args.seed).shuffle(wanted)
    if args.dry_run:
        wanted = [text for text in wanted if parse(text)["batch"] == 1][:5]
    samples = args.out / "samples.jsonl"
    rows = [row for row in known(samples) if row["spec"] in wanted]
    done = {row["spec"] for row in rows}
    environment = timing.environment(args.device)
    timing.spin(args.device)
    deadline = time.monotonic() + 60 * args.minutes
    failed = 0
    with samples.open("a") as file:
        for text in wanted:
            if text in done:
                continue
            if time.monotonic() > deadline or failed > 30:  # A broken device fails everything that follows.
                break
            try:
                us = torch_us(parse(text), args.device)
            except RuntimeError as error:
                failed += 1
                print(f"{text}: {error}", flush=True)
                continue
            row = {"spec": text, "ours_us": round(ours[text], 4), "torch_us": round(us, 4), "ratio": round(ours[text] / us, 4)}
            rows.append(row)
            file.write(json.dumps(row) + "\n")
            file.flush()
    environment["clocks_after"] = timing.clocks() if args.device == "cuda" else None
    environment["ours"] = machine
    (args.out / "environment.json").write_text(json.dumps(environment, indent=1) + "\n")
    text = summary(rows, machine, environment, len(wanted), args.dry_run)
    (args.out / "summary.md").write_text(text)
    print("\n".join(text.splitlines()[:12]))
    if not rows:
        parser.exit(1, "nothing was compared\n")


if __name__ == "__main__":
    main()
