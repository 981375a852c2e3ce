"""How PyTorch's work is timed: by the slope between two CUDA graphs, as LOCP times its own.

A graph of N calls and one of 2N calls are launched in turns; what a launch costs is in both, so (t(2N) - t(N)) / N is
one call in the middle of others. On a CPU the same code runs without graphs, to try everything else.
"""

import statistics
import subprocess
import time

import torch

LARGE_US = 200.0  # The larger graph lasts at least this long.
SAMPLES = 15


def graph_of(call, n_calls):
    """A CUDA graph of so many calls; `call` is told which one it is."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for i in range(n_calls):
            call(i)
    graph.replay()
    return graph


def elapsed_us(run):
    start, stop = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    start.record()
    run()
    stop.record()
    torch.cuda.synchronize()
    return start.elapsed_time(stop) * 1e3


def warm_up(call, n_calls):
    """Lets the library choose its algorithms, outside of any capture."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for i in range(n_calls):
            call(i)
    torch.cuda.current_stream().wait_stream(side)
    torch.cuda.synchronize()


class Timed:
    """A call with its two graphs, for readings in turns with other calls."""

    def __init__(self, call, device):
        self.call, self.device = call, device
        if device != "cuda":
            call(0)
            return
        warm_up(call, 3)
        rough_us = max(min(elapsed_us(lambda: call(0)) for _ in range(3)), 1.0)
        self.n_calls = max(1, min(256, round(LARGE_US / 2 / rough_us + 0.5)))
        self.small, self.large = graph_of(call, self.n_calls), graph_of(call, 2 * self.n_calls)

    def reading_us(self):
        if self.device != "cuda":
            start = time.perf_counter()
            self.call(0)
            return (time.perf_counter() - start) * 1e6
        small, large = elapsed_us(self.small.replay), elapsed_us(self.large.replay)
        return (large - small) / self.n_calls


def median_us(call, device, samples=SAMPLES):
    timed = Timed(call, device)
    return statistics.median(timed.reading_us() for _ in range(samples))


def copies(tensor, device):
    """As many copies of a weight as pass twice the last-level cache, so that each call finds its own cold."""
    if device != "cuda":
        return [tensor]
    # Some versions of PyTorch do not tell the size of the cache; the largest GPUs have some 128 MiB.
    cache = getattr(torch.cuda.get_device_properties(0), "L2_cache_size", 128 << 20)
    count = min(256, 2 * cache // max(1, tensor.numel() * tensor.element_size()) + 2)
    return [tensor.clone(memory_format=torch.preserve_format) for _ in range(count)]


def spin(device, seconds=0.4):
    """Brings the clocks up."""
    if device != "cuda":
        return
    a = torch.randn(4096, 4096, device=device, dtype=torch.float16)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        a @ a
        torch.cuda.synchronize()


def clocks():
    """What nvidia-smi says of clocks and throttling, or nothing."""
    query = "name,driver_version,clocks.sm,clocks.mem,clocks.max.sm,temperature.gpu,power.draw,clocks_throttle_reasons.active"
    try:
        command = ["nvidia-smi", f"--query-gpu={query}", "--format=csv"]
        return subprocess.run(command, capture_output=True, text=True, timeout=20).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None


def environment(device):
    """What a number of PyTorch's is true for."""
    cuda = device == "cuda"
    return {
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version() if cuda else None,
        "device": torch.cuda.get_device_name() if cuda else "a CPU, which says nothing about any GPU",
        "clocks": clocks() if cuda else None,
    }
