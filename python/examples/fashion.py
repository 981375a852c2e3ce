"""What the example trains: the networks of the repository on Fashion-MNIST, or a tiny one on made-up images."""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.functional import interpolate

import locp

MODELS = Path(__file__).resolve().parents[2] / "models"
INSTALLED = Path("/usr/share/datasets/fashion-mnist")


@dataclass
class Data:
    """Images of shape (images, 1, height, width) from 0 to 1, and labels."""

    train_x: torch.Tensor
    train_y: torch.Tensor
    test_x: torch.Tensor
    test_y: torch.Tensor
    calib: torch.Tensor  # training images, used without labels


def part(data, share, seed):
    """The data with a share of the training images, drawn by lot."""
    picked = torch.randperm(len(data.train_x), generator=torch.Generator().manual_seed(seed))
    picked = picked[: max(1, round(share * len(picked)))]
    return Data(data.train_x[picked], data.train_y[picked], data.test_x, data.test_y, data.calib)


# ---------------------------------------------------------------- Fashion-MNIST


def training_scripts():
    """The scripts that trained the shipped networks: they define them and read the data set."""
    sys.path.insert(0, str(MODELS))
    try:
        import train_fashion
        import train_more
    finally:
        sys.path.remove(str(MODELS))
    return train_fashion, train_more


def fashion_data(folder, all_test):
    """The data set; to be tested on the 2,000 shipped images, or on all 10,000."""
    scripts, _ = training_scripts()
    train_x, train_y = scripts.load_split(folder, "train")
    if all_test:
        test_x, test_y = scripts.load_split(folder, "t10k")
    else:
        test_x, test_y = np.load(MODELS / "test_images.npy"), np.load(MODELS / "test_labels.npy")

    def scaled(images):
        return torch.from_numpy(images).float() / 255

    labels = [torch.from_numpy(np.asarray(y)).long() for y in (train_y, test_y)]
    return Data(scaled(train_x), labels[0], scaled(test_x), labels[1], scaled(np.load(MODELS / "calib_images.npy")))


def shipped(name, calib):
    """A shipped network with its trained weights, and with normalization, so that it trains as usual.

    The ONNX files have normalization folded into the convolutions. It is put back so that it undoes
    itself: its statistics are those of the images, its scale and shift give back what was folded in.
    """
    scripts, more = training_scripts()
    build = {"fashion": scripts.FashionNet, **more.NETWORKS}[name]
    file = MODELS / ("fashion.onnx" if name == "fashion" else f"fashion-{name}.onnx")
    folded, model = scripts.folded(build()), build()
    stored = locp.read_weights(file).tensors
    folded.load_state_dict({key: torch.from_numpy(array.copy()) for key, array in stored.items()})

    kinds = (scripts.ConvBn, nn.Linear)
    pairs = [(folded.get_submodule(path), b) for path, b in model.named_modules() if isinstance(b, kinds)]
    seen = {}
    layers = [a.conv for a, b in pairs if isinstance(b, scripts.ConvBn)]
    hooks = [layer.register_forward_hook(lambda m, _, out: seen.__setitem__(m, out)) for layer in layers]
    with torch.no_grad():
        # Division of the images by 255 is folded into the first layer.
        folded.stem.conv.weight *= 255
        expected = folded(calib)
        for a, b in pairs:
            if isinstance(b, nn.Linear):
                b.load_state_dict(a.state_dict())
                continue
            plain = seen[a.conv] - a.conv.bias[:, None, None]
            b.conv.weight.copy_(a.conv.weight)
            b.bn.running_mean.copy_(plain.mean((0, 2, 3)))
            b.bn.running_var.copy_(plain.var((0, 2, 3)))
            b.bn.weight.copy_((b.bn.running_var + b.bn.eps).sqrt())
            b.bn.bias.copy_(b.bn.running_mean + a.conv.bias)
        off = (model.eval()(calib) - expected).abs().max() / expected.abs().max()
    for hook in hooks:
        hook.remove()
    if not off < 1e-4:
        raise SystemExit(f"{file} with normalization differs from itself by {off:.1e}; report this")
    return model


# ---------------------------------------------------------------- made-up images


class Tiny(nn.Sequential):
    """Three convolutions and a classifier."""

    def __init__(self):
        layers, channels = [], 1
        for width in (32, 48, 64):
            layers += [nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            layers += [nn.MaxPool2d(2)]
            channels = width
        super().__init__(*layers, nn.Flatten(), nn.Linear(64 * 4, 10))


def synthetic_data(seed, n_train=4000, n_test=1000):
    """Ten coarse patterns at random places, under noise."""
    g = torch.Generator().manual_seed(seed)
    patterns = interpolate(torch.randn(10, 1, 5, 5, generator=g), size=(16, 16), mode="bilinear")
    y = torch.randint(10, (n_train + n_test,), generator=g)
    shifts = torch.randint(-4, 5, (len(y), 2), generator=g).tolist()
    x = torch.stack([patterns[c].roll(s, (1, 2)) for c, s in zip(y.tolist(), shifts)])
    x = x + 1.5 * torch.randn(x.shape, generator=g)
    return Data(x[:n_train], y[:n_train], x[n_train:], y[n_train:], x[:256])
