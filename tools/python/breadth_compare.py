"""Our channel groups against Torch-Pruning's, position by position.

Both are partitions of the same thing: the positions on the axes of the weights of
convolutions, linear layers and norms. Neither is the truth. Every kind of difference
is listed with an example, to be argued.
"""

import collections
import gzip
import hashlib
import json

import numpy as np
import onnx
from onnx import numpy_helper

import breadth_check
from locp_tools import positions, tensors, unshare

# So many groups of one kind of difference stand in the raw results by name.
EXAMPLES = 3


def torch_names(model, parameters):
    """ONNX tensor to (torch parameter, whether its two axes are swapped).

    Names decide where the shape agrees, the values' digest where an exporter renamed
    or transposed the tensor.
    """
    by_digest = {}
    for name, p in parameters.items():
        by_digest.setdefault(p["sha1"], (name, False))
        by_digest.setdefault(p.get("sha1_transposed", ""), (name, True))
    found = {}
    for name, tensor in tensors(model).items():
        dims = list(tensor.dims)
        known = parameters.get(name)
        if known and known["shape"] == dims and (len(dims) != 2 or dims[0] != dims[1]):
            found[name] = (name, False)
        elif tensor.data_type == onnx.TensorProto.FLOAT:
            values = np.ascontiguousarray(numpy_helper.to_array(tensor))
            digest = hashlib.sha1(values.tobytes()).hexdigest()
            if digest in by_digest:
                found[name] = by_digest[digest]
    return found


def our_labels(inspected, names, lengths):
    """"parameter|axis" to a label per position; -1 where no group owns it."""
    labels, first = {}, 0
    for group in inspected["groups"]:
        for member in group["members"]:
            if member["tensor"] not in names:
                continue
            name, swapped = names[member["tensor"]]
            key = f"{name}|{1 - member['axis'] if swapped else member['axis']}"
            if key not in lengths:
                continue
            axis = labels.setdefault(key, np.full(lengths[key], -1))
            for channel in range(group["channels"]):
                axis[list(positions(member, channel))] = first + channel
        first += group["channels"]
    return labels


def compare(dense, inspected, path):
    """How many groups agree, and the kinds of difference with their number and examples."""
    with gzip.open(path, "rt") as f:
        theirs = json.load(f)
    model = onnx.load(dense)
    unshare(model)
    names = torch_names(model, theirs["parameters"])
    their_labels = {k: np.array(v) for k, v in theirs["labels"].items()}
    ours = our_labels(inspected, names, {k: len(v) for k, v in their_labels.items()})

    both = [k for k in their_labels if k in ours]
    pairs = collections.defaultdict(set)
    back = collections.defaultdict(set)
    for key in both:
        for a, b in set(zip(ours[key].tolist(), their_labels[key].tolist())):
            if a >= 0:
                pairs[a].add(b)
                back[b].add(a)

    same, frozen, kinds, examples = 0, 0, collections.Counter(), {}

    def differs(kind, example):
        kinds[kind] += 1
        if len(examples.setdefault(kind, [])) < EXAMPLES:
            examples[kind].append(example)

    first = 0
    for group in inspected["groups"]:
        labels = range(first, first + group["channels"])
        first += group["channels"]
        more = next((a for a in labels if len(pairs[a]) > 1), None)
        less = next((a for a in labels if any(len(back[b]) > 1 for b in pairs[a])), None)
        if not any(pairs[a] for a in labels):
            if group["frozen"] is None:
                members = [m["tensor"] for m in group["members"][:4]]
                differs("TP does not have it", {"group": group["name"], "members": members})
            continue
        if group["frozen"] is not None:
            reason = breadth_check.kind_of_reason(group["frozen"])
            # The last layer's outputs: Torch-Pruning leaves them to the caller to spare.
            if not reason.startswith("Output:"):
                frozen += 1
                differs(f"only we freeze: {reason}", {"group": group["name"]})
            continue
        if more is None and less is None:
            same += 1
            continue
        if more is not None:
            at = [where(their_labels, both, b) for b in sorted(pairs[more])[:4]]
            differs("we tie more", {"group": group["name"], "apart in TP": at})
        if less is not None:
            merged = next(b for b in pairs[less] if len(back[b]) > 1)
            at = [where(ours, both, a) for a in sorted(back[merged])[:4]]
            differs("TP ties more", {"group": group["name"], "apart here": at})
    shapes = {name: p["shape"] for name, p in theirs["parameters"].items()}
    weights = [
        k
        for k in their_labels
        if not k.endswith("|in") and len(shapes.get(k.rpartition("|")[0], [])) > 1
    ]
    present = {name for name, _ in names.values()}
    unseen = [k for k in weights if k not in ours]
    lost = [k for k in unseen if k.rpartition("|")[0] not in present]
    return {
        "same": same,
        "frozen": frozen,
        "kinds": kinds.most_common(),
        "examples": examples,
        "axes": len(weights),
        # Weights that the exporter folded into something else cannot be compared.
        "axes_folded": len(lost),
        "axes_without_group": [k for k in unseen if k not in lost][:6],
    }


def where(labels, keys, label):
    """An axis, and a position on it, that has the label."""
    for key in keys:
        found = np.flatnonzero(labels[key] == label)
        if len(found):
            return f"{key}[{found[0]}]"
    return "?"
