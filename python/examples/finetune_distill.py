#!/usr/bin/env python3
"""Prunes a network to a latency, then fine-tunes it with what the dense one knows.

    cargo build --release --locked -p locp-cli && pip install './python[torch]'
    LOCP_BIN=target/release/locp python python/examples/finetune_distill.py

It takes a shipped network and Fashion-MNIST where that is installed (apt-get install
dataset-fashion-mnist, or --data DIR), else a tiny network on made-up images. By default it runs
in less than a minute on a part of the images, and latency is that of a simulated device:
`--engine auto --batch 1` measures this machine.

The loss (Hinton et al., "Distilling the Knowledge in a Neural Network", 2015) mixes the labels
with the dense network's probabilities, softened by a temperature T:

    (1 - soft) * cross_entropy(logits, labels) + soft * T^2 * KL(teacher / T, logits / T)
"""

import argparse
import copy
import json
import time
from pathlib import Path

import fashion
import torch
from torch.nn.functional import cross_entropy, kl_div, log_softmax, pad, softmax

import locp


def distillation(logits, teacher, labels, soft, temperature):
    """logits and teacher are batch x classes, labels one class for each of the batch."""
    hard = cross_entropy(logits, labels)
    if soft == 0:
        return hard
    ours, theirs = log_softmax(logits / temperature, 1), softmax(teacher / temperature, 1)
    return (1 - soft) * hard + soft * temperature**2 * kl_div(ours, theirs, reduction="batchmean")


def augmented(x, generator):
    """The batch, of which half is mirrored, moved by up to two pixels."""
    flip = torch.rand(len(x), 1, 1, 1, generator=generator) < 0.5
    dy, dx = torch.randint(0, 5, (2,), generator=generator).tolist()
    height, width = x.shape[2:]
    return pad(torch.where(flip, x.flip(3), x), (2, 2, 2, 2))[:, :, dy : dy + height, dx : dx + width]


def train(model, teacher, data, args, lr, soft, mirrored):
    """The training loop, as it could be yours; gives the seconds that it took."""
    start = time.time()
    generator = torch.Generator().manual_seed(args.seed)
    # Made after pruning: its parameters are those of the narrow model.
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9, weight_decay=5e-4, nesterov=True)
    steps = max(1, len(data.train_x) // args.train_batch)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=args.epochs * steps, pct_start=0.2)
    for _ in range(args.epochs):
        model.train()
        order = torch.randperm(len(data.train_x), generator=generator)
        for step in range(steps):
            picked = order[step * args.train_batch : (step + 1) * args.train_batch]
            x, y = data.train_x[picked], data.train_y[picked]
            x = augmented(x, generator) if mirrored else x
            with torch.no_grad():
                wanted = teacher(x) if soft else None
            optimizer.zero_grad()
            distillation(model(x), wanted, y, soft, args.temperature).backward()
            optimizer.step()
            schedule.step()
    model.eval()
    return time.time() - start


def top1(model, data):
    with torch.no_grad():
        answers = torch.cat([model.eval()(x).argmax(1) for x in data.test_x.split(500)])
    return (answers == data.test_y).float().mean().item()


def from_scratch(model, seed):
    """A twin of the same widths that knows nothing."""
    torch.manual_seed(seed)
    twin = copy.deepcopy(model)
    for module in twin.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
    return twin


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--network", choices=["fashion", "resnet20", "vgg", "tiny"], help="tiny: made-up images")
    parser.add_argument("--data", type=Path, default=fashion.INSTALLED, help="folder of Fashion-MNIST")
    parser.add_argument("--latency", default="0.6x", help="the budget, as `locp prune --latency` takes it")
    parser.add_argument("--engine", default="simulated:orin")
    parser.add_argument("--batch", type=int, default=64, help="images per run when latency is measured")
    parser.add_argument("--prune-residual", action="store_true")
    parser.add_argument("--binary", help="the locp program")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--fraction", type=float, default=0.05, help="share of the training images")
    parser.add_argument("--train-batch", type=int, default=64)
    parser.add_argument("--lr", type=float, default=0.02)
    parser.add_argument("--scratch-lr", type=float, default=0.1)
    parser.add_argument("--soft", type=float, default=0.7, help="weight of the dense network's word")
    parser.add_argument("--temperature", type=float, default=4.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--all-test", action="store_true", help="test on all 10,000 images, not on the shipped 2,000")
    parser.add_argument("--also-dense", action="store_true", help="fine-tune the dense network in the same way")
    parser.add_argument("--scratch", action="store_true", help="train a twin of the pruned network from scratch")
    parser.add_argument("--json", type=Path, help="write the figures here")
    args = parser.parse_args()
    if args.network is None:
        args.network = "fashion" if args.data.is_dir() else "tiny"
    return args


def main():
    args = arguments()
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    real = args.network != "tiny"
    data = fashion.fashion_data(args.data, args.all_test) if real else fashion.synthetic_data(args.seed)
    found, seconds = {}, {}

    def tell(name, model):
        found[name] = round(top1(model, data), 4)
        print(f"{name:16} top-1 {found[name]:.2%} of {len(data.test_y):,}", flush=True)

    if real:
        dense = fashion.shipped(args.network, data.calib)
        data = fashion.part(data, args.fraction, args.seed)
    else:
        dense = fashion.Tiny()
        train(dense, None, data, args, lr=0.1, soft=0, mirrored=False)
    tell("dense", dense)

    model = copy.deepcopy(dense)
    try:
        result = locp.prune(
            model, data.calib[:2], args.latency, calib=data.calib, engine=args.engine, batch=args.batch,
            prune_residual=args.prune_residual, seed=args.seed, binary=args.binary,
        )  # fmt: skip
    except locp.LocpError as error:
        raise SystemExit(str(error)) from error
    print(result.report)
    tell("pruned", model)
    twin = from_scratch(model, args.seed)

    runs = {"fine-tuned": (model, args.lr)}
    if args.also_dense:
        runs["dense fine-tuned"] = (copy.deepcopy(dense), args.lr)
    if args.scratch:
        runs["from scratch"] = (twin, args.scratch_lr)
    for name, (learner, lr) in runs.items():
        seconds[name] = round(train(learner, dense, data, args, lr, args.soft, mirrored=real), 1)
        tell(name, learner)

    if args.json:
        report = result.report
        record = {
            "settings": {name: str(v) if isinstance(v, Path) else v for name, v in vars(args).items()},
            "torch": torch.__version__,
            "train_images": len(data.train_x),
            "test_images": len(data.test_y),
            "simulated": report.simulated,
            "dense_ms": report.dense_ms,
            "pruned_ms": report.pruned_ms,
            "ratio": report.ratio,
            "parameters": report.parameters,
            "top1": found,
            "seconds": seconds,
        }
        args.json.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
