"""What the scripts share that make models with torch."""

import numpy as np
import onnx
import torch
from torch import nn

from onnx_tools import session, summary  # noqa: F401


def noise(n, channels, size, seed):
    """Images that differ from each other: noise with its own mean and contrast each,
    on top of a few coarse blobs."""
    g = torch.Generator().manual_seed(seed)
    coarse = torch.randn(n, channels, 4, 4, generator=g)
    x = nn.functional.interpolate(coarse, (size, size), mode="bilinear", align_corners=False)
    x = x + torch.randn(n, channels, size, size, generator=g) * (
        0.3 + torch.rand(n, 1, 1, 1, generator=g)
    )
    return x + 0.5 * torch.randn(n, channels, 1, 1, generator=g)


def lively(model, size, seed, images=16, channels=3):
    """Random weights under which every layer and every channel matters.

    torchvision's initialization leaves BatchNorm at scale 1, shift 0, mean 0, variance
    1: wrong handling of any of them would go unseen, and deep networks' logits vanish.
    Scales are drawn from [0.5, 1.5], shifts from N(0, 0.3), statistics are those of
    noise images, and the last Linear is scaled to logits of standard deviation 1.
    """
    g = torch.Generator().manual_seed(seed)
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    with torch.no_grad():
        for m in model.modules():
            if isinstance(m, (nn.Conv2d, nn.Linear)):
                fan_in = m.weight[0].numel()
                m.weight.normal_(0, (2 / fan_in) ** 0.5, generator=g)
                if m.bias is not None:
                    m.bias.normal_(0, 0.1, generator=g)
        for m in norms:
            m.weight.uniform_(0.5, 1.5, generator=g)
            m.bias.normal_(0, 0.3, generator=g)
            m.reset_running_stats()
            m.momentum = None  # cumulative average over the calibration batches
        x = noise(images, channels, size, seed + 1)
        model.eval()
        if norms:
            for m in norms:
                m.train()
            model(x)
            for m in norms:
                m.momentum = 0.1
            model.eval()
        last = [m for m in model.modules() if isinstance(m, nn.Linear)]
        if last:
            last[-1].weight /= model(x).std()
        y = model(x)
    if not (torch.isfinite(y).all() and y.std() > 0.1 and y.std(0).mean() > 0.02):
        raise RuntimeError(f"dead logits: std {y.std():.3g}, between images {y.std(0).mean():.3g}")
    return model


def export(model, path, size, dynamo, channels=3, **more):
    """One file, weights inside, batch dimension dynamic, input `image`, output `logits`."""
    image = torch.zeros(2, channels, size, size)
    common = dict(input_names=["image"], output_names=["logits"])
    if dynamo:
        torch.onnx.export(
            model,
            (image,),
            str(path),
            dynamo=True,
            external_data=False,
            dynamic_shapes=({0: torch.export.Dim("batch")},),
            verbose=False,
            **common,
            **more,
        )
    else:
        torch.onnx.export(
            model,
            (image,),
            str(path),
            dynamo=False,
            opset_version=17,
            dynamic_axes={"image": {0: "batch"}, "logits": {0: "batch"}},
            **common,
            **more,
        )


def drop_stack_traces(path):
    """The dynamo exporter records the exporting machine's file paths in every node."""
    model = onnx.load(path)
    for node in model.graph.node:
        kept = [p for p in node.metadata_props if not p.key.endswith("stack_trace")]
        del node.metadata_props[:]
        node.metadata_props.extend(kept)
    onnx.save(model, path)


def run(path, x, threads=2):
    s = session(path, threads)
    return s.run(None, {s.get_inputs()[0].name: np.asarray(x, np.float32)})[0]
