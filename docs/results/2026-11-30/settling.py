"""How long a network needs to settle after another one's turn: the median of each run of a turn.

    python settling.py DENSE.onnx PRUNED.onnx

Needs onnxruntime and numpy; one thread, turns of 24 runs, 40 of each.
"""

import sys
import time

import numpy as np
import onnxruntime as ort

RUNS, TURNS = 24, 40


def session(path):
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def main():
    dense, pruned = (session(path) for path in sys.argv[1:3])
    port = dense.get_inputs()[0]
    shape = [dim if isinstance(dim, int) else 1 for dim in port.shape]
    image = {port.name: np.random.default_rng(0).random(shape, np.float32)}

    def run(model):
        start = time.perf_counter()
        model.run(None, image)
        return 1e3 * (time.perf_counter() - start)

    times = np.array([[[run(model) for _ in range(RUNS)] for model in (dense, pruned)] for _ in range(TURNS)])
    for name, ms in zip(("dense", "pruned"), np.median(times, axis=0)):
        print(name, " ".join(f"{value:.2f}" for value in ms))
    alone = [[run(model) for model in (dense, pruned)] for _ in range(TURNS * 4)]
    ratios = [np.median(alone, axis=0), np.median(times[:, :, 12:], axis=(0, 2))]
    print("ratio where single runs alternate, and of the runs from the 13th on:", *(f"{b / a:.3f}" for a, b in ratios))


main()
