#!/usr/bin/env python3
"""Does locp prune what people have? Nearly every CNN of torchvision and timm, checked.

    cargo build --release --locked -p locp-cli
    pip install -r tools/python/requirements.txt
    pip install --no-deps rapidocr-onnxruntime==1.4.4 ddddocr==1.6.1
    python tools/python/breadth.py --work DIR --export-only
    python tools/python/breadth.py --work DIR --locp target/release/locp --table docs/breadth.md

Every network is exported with random weights by both of torch's exporters; the files
stay in DIR/models for the next run, except those of the giants. Each file is then
inspected and loses a random half of every channel group that may lose any. A row
passes if the ONNX checker and ONNX Runtime take the result and it equals the dense
model with the removed channels disconnected from their consumers. The groups are
compared with Torch-Pruning's; differences are reported and fail nothing.

All raw results go to DIR/results.jsonl. Exit 1 if a row fails.
"""

import argparse
import hashlib
import importlib.util
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import breadth_check
import breadth_compare
import breadth_export
import breadth_models
import breadth_table

# A check takes seconds; what takes this long has failed.
ROW_SECONDS = 1800


# ---------------------------------------------------------------- rows


def check_row(args, row, dense, shape, comparison):
    """Runs in a process of its own: a crash of ONNX Runtime is a failed row."""
    start = time.time()
    with tempfile.TemporaryDirectory(dir=args.work, prefix="row-") as folder:
        folder = Path(folder)
        try:
            breadth_check.check(args.locp, dense, row["key"], shape, folder, row)
        except breadth_check.Refused as e:
            row["verdict"] = f"refused: {e}" if row.get("may_be_refused") else f"FAILED {e}"
        except breadth_check.Failed as e:
            row["verdict"] = f"FAILED {e}"
        except Exception as e:  # one model's failure must not hide the others
            row["verdict"] = f"FAILED {type(e).__name__}: {' '.join(str(e).split())[:300]}"
        # The table is for everyone, the path is of this machine.
        row["verdict"] = row["verdict"].replace(str(dense), "the model")
        if comparison is not None and (folder / "inspect.json").exists():
            inspected = json.loads((folder / "inspect.json").read_text())
            row["tp"] = breadth_compare.compare(dense, inspected, comparison)
    row["seconds"] = round(time.time() - start, 1)
    return row


def checked(args, row, dense, shape, comparison=None):
    what = lambda: check_row(args, dict(row), dense, shape, comparison)
    answer = breadth_export.in_child(what, ROW_SECONDS)
    return {**row, "verdict": f"FAILED check: {answer['failed']}"} if "failed" in answer else answer


def rows_of(args, net, exporters):
    """The network's rows, one for each exporter whose file, or whose failure, there is."""
    models = args.work / "models"
    if not args.recheck:
        steps = [*exporters, breadth_export.TORCH_PRUNING]
        breadth_export.export_net(net, models, steps, args.export_timeout)
    folder = models / net.key
    facts = breadth_export.read_facts(folder)
    tp = facts.get(breadth_export.TORCH_PRUNING, {})
    for exporter in exporters:
        row = {
            "key": net.key,
            "library": net.library,
            "family": net.family,
            "name": net.name,
            "exporter": exporter,
            "parameters": facts.get("parameters"),
            "export": facts.get(exporter),
        }
        dense = folder / exporter / "model.onnx"
        failed = facts.get(exporter, {}).get("failed")
        if failed:
            yield {**row, "verdict": f"export failed: {failed}"}
        elif dense.exists():
            # TorchScript renames and folds weights, so its file says less about groups.
            compares = exporter == "dynamo" or "failed" in facts.get("dynamo", {})
            comparison = folder / "torch_pruning.json.gz"
            if compares and "failed" in tp:
                row["tp"] = tp
            if not compares or not comparison.exists():
                comparison = None
            yield checked(args, row, dense, (3, net.size, net.size), comparison)
    if net.giant and not args.keep_giants:
        for exporter in exporters:
            shutil.rmtree(folder / exporter, ignore_errors=True)


def packaged_rows(args):
    """ONNX files that PyPI packages bring along: other exporters, trained weights."""
    for package, file, shape, may_be_refused in breadth_models.PACKAGED:
        row = {
            "key": f"pypi-{Path(file).stem}",
            "library": "pypi",
            "family": package,
            "name": Path(file).name,
            "exporter": "as shipped",
            "may_be_refused": may_be_refused,
        }
        spec = importlib.util.find_spec(package)
        if spec is None:
            yield {**row, "verdict": f"export failed: no package {package}"}
            continue
        dense = Path(spec.submodule_search_locations[0]) / file
        yield checked(args, row, dense, shape)


# ---------------------------------------------------------------- results


def read_results(path, binary):
    """The last row of each file that this very binary was checked on."""
    rows = {}
    if path.exists():
        for line in path.read_text().splitlines():
            row = json.loads(line)
            if row["locp"] == binary:
                rows[row["key"], row["exporter"]] = row
    return rows


def select(args):
    nets = [n for n in breadth_models.all_nets() if not args.only or matches(n.key, args.only)]
    return breadth_export.by_size(nets, args.work / "models")


def matches(key, only):
    return any(word in (key, key.partition("-")[2], key.partition("-")[0]) for word in only)


def export_only(args):
    """All of one exporter first: TorchScript's takes a tenth of the time of dynamo's."""
    nets = [n for n in select(args) if args.only or not n.giant]
    steps = [*args.exporter, breadth_export.TORCH_PRUNING]
    for step in steps:
        for i, net in enumerate(nets):
            start = time.time()
            breadth_export.export_net(net, args.work / "models", [step], args.export_timeout)
            facts = breadth_export.read_facts(args.work / "models" / net.key)
            said = f"{time.time() - start:.0f} s {facts.get(step, {}).get('failed', 'ok')}"
            print(f"{step} {i + 1}/{len(nets)} {net.key} {said}", flush=True)


def all_rows(args, done):
    for net in select(args):
        exporters = [e for e in args.exporter if not (args.resume and (net.key, e) in done)]
        if exporters:
            yield from rows_of(args, net, exporters)
    if not args.only or "packaged" in args.only:
        yield from packaged_rows(args)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True, help="folder for models and results")
    parser.add_argument("--locp", type=Path, help="the locp binary")
    parser.add_argument("--table", type=Path, help="Markdown file to write")
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="NAME",
        help="`resnet18`, `timm-resnet18`, `torchvision`, or `packaged` for PyPI's ONNX files",
    )
    parser.add_argument(
        "--exporter",
        nargs="+",
        default=list(breadth_export.EXPORTERS),
        choices=breadth_export.EXPORTERS,
    )
    parser.add_argument("--export-only", action="store_true", help="all but the giants")
    parser.add_argument("--export-timeout", type=float, default=1800, help="seconds for one step")
    parser.add_argument("--resume", action="store_true", help="skip what this binary has a row of")
    parser.add_argument(
        "--recheck", action="store_true", help="export nothing, check what is exported already"
    )
    parser.add_argument("--keep-giants", action="store_true", help="do not delete their files")
    args = parser.parse_args()
    args.work = args.work.resolve()
    (args.work / "models").mkdir(parents=True, exist_ok=True)
    # One thread: the machine's other work goes on, and forked processes need no more.
    os.environ["OMP_NUM_THREADS"] = "1"

    if args.export_only:
        export_only(args)
        return
    if args.locp is None or not args.locp.exists():
        parser.error("--locp: no such binary")
    results = args.work / "results.jsonl"
    content = args.locp.read_bytes()
    binary = hashlib.sha256(content).hexdigest()[:12]
    # A build may replace the binary meanwhile, and all rows must be of one.
    args.locp = args.work / f"locp-{binary}"
    if not args.locp.exists():
        args.locp.write_bytes(content)
        args.locp.chmod(0o755)
    done = read_results(results, binary)
    for row in all_rows(args, done):
        row["locp"] = binary
        with results.open("a") as f:
            f.write(json.dumps(row) + "\n")
        done[row["key"], row["exporter"]] = row
        print(breadth_table.line(row), flush=True)
        if args.table:
            args.table.write_text(breadth_table.table(list(done.values())))
    failures = [row for row in done.values() if breadth_table.is_failure(row)]
    print(f"{len(done)} rows, {len(failures)} failed")
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
