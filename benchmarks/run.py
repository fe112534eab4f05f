"""How fast and how lean, beside the peers, which it installs: ``python run.py bench [--quick]``.

Value and gradient, float32, one thread. Candidate and peer take turns in one process and the medians of their times
are divided; a ratio below 1 means lossref is faster. (Importing lossref keeps glibc from giving freed memory back, see
lossref/_tiles.py; in that one process the peers gain from it too.) torch is measured eagerly and as torch.compile makes
it of torch's own loss, which takes a C++ compiler; the first calls, which compile, are not counted. Memory is the extra
peak of the process over one pass, measured in a fresh process for each, in units of N = one copy of the input. All is
run twice, with huge pages off and on, because they decide what a fresh array costs: torch's (THP_MEM_ALLOC_ENABLE; it
has them off unless told) and, where NumPy alone is measured, NumPy's (NUMPY_MADVISE_HUGEPAGE; it has them on). A peer
that is not there is reported as not measured.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from statistics import median

import numpy as np

HUGE_PAGES = ("THP_MEM_ALLOC_ENABLE", "NUMPY_MADVISE_HUGEPAGE")
SIZES = (10**3, 10**5, 10**7)
SHAPES = ((128, 10), (4096, 1000), (512, 50257))
IMAGES = ((2, 21, 16, 16), (4, 21, 64, 64), (8, 21, 256, 256))

# (row, peer, size) -> goal at the largest size, with and without huge pages: those of the project's plan
GOALS = {
    "sigmoid focal | torchvision's algorithm": (0.12, 0.25),
    "BCE | torch": (0.30, None),
    "BCE with logits | torch": (0.60, 1.0),
    "cross-entropy | torch": (0.65, None),
    "softmax focal | log_softmax recipe": (0.60, None),
    "KL | torch": (0.45, None),
    "L1 | torch": (0.30, None),
    "MSE | torch": (0.65, None),
    "Huber | torch": (0.65, None),
    "smooth L1 | torch": (0.65, None),
    "BCE with logits, NumPy | textbook": (0.25, 0.25),
    "BCE with logits, NumPy | scipy": (0.10, 0.10),
    "BCE with logits, NumPy | scikit-learn": (0.15, 0.15),
    "focal, NumPy | textbook": (0.12, 0.12),
    "Huber, NumPy | scipy": (0.20, 0.20),
    "KL, NumPy | scipy": (0.10, 0.10),
    "BCE with logits, NumPy, out= | scikit-learn": (0.15, 0.15),
    "KL, NumPy, out= | scipy": (0.10, 0.10),
}


def torch_rows(peer=None):
    """(name, sizes, data(size), candidate, peer), the last two functions of the data that return value and gradient."""
    import torch
    import torch.nn.functional as F

    import lossref.torch as ours

    torch.set_num_threads(1)

    def both(loss):
        def run(x, y):
            x.grad = None
            loss(x, y).backward()
            return x.grad

        return run

    def logits(n):
        torch.manual_seed(0)
        return torch.randn(n).mul_(3).requires_grad_(), (torch.rand(n) > 0.5).float()

    def probabilities(n):
        x, y = logits(n)
        return torch.sigmoid(x.detach()).requires_grad_(), y

    def log_probabilities(n):
        torch.manual_seed(0)
        return torch.rand(n).log_().requires_grad_(), torch.rand(n)

    def classes(shape):
        torch.manual_seed(0)
        return torch.randn(shape).requires_grad_(), torch.randint(0, shape[1], (shape[0], *shape[2:]))

    def channels_last(shape):
        x, y = classes(shape)
        return x.detach().to(memory_format=torch.channels_last).requires_grad_(), y

    def torchvision_focal(x, y, alpha=0.25, gamma=2.0):
        """torchvision's algorithm, in its order of operations and with its temporaries."""
        p = torch.sigmoid(x)
        entropy = F.binary_cross_entropy_with_logits(x, y, reduction="none")
        p_t = p * y + (1 - p) * (1 - y)
        loss = entropy * (1 - p_t) ** gamma
        return ((alpha * y + (1 - alpha) * (1 - y)) * loss).mean()

    def softmax_focal(x, y, gamma=2.0):
        log_p = F.log_softmax(x, 1).gather(1, y[:, None])[:, 0]
        return (-((1 - log_p.exp()) ** gamma) * log_p).mean()

    elementwise = {
        "sigmoid focal | torchvision's algorithm": (logits, ours.SigmoidFocalLoss(), torchvision_focal),
        "BCE | torch": (probabilities, ours.BCELoss(), torch.nn.BCELoss()),
        "BCE with logits | torch": (logits, ours.BCEWithLogitsLoss(), torch.nn.BCEWithLogitsLoss()),
        "KL | torch": (
            log_probabilities,
            ours.KLDivLoss(reduction="sum"),
            torch.nn.KLDivLoss(reduction="sum"),
        ),
        "L1 | torch": (logits, ours.L1Loss(), torch.nn.L1Loss()),
        "MSE | torch": (logits, ours.MSELoss(), torch.nn.MSELoss()),
        "Huber | torch": (logits, ours.HuberLoss(), torch.nn.HuberLoss()),
        "smooth L1 | torch": (logits, ours.SmoothL1Loss(), torch.nn.SmoothL1Loss()),
    }
    rows = {
        "cross-entropy | torch": (classes, ours.CrossEntropyLoss(), torch.nn.CrossEntropyLoss()),
        "softmax focal | log_softmax recipe": (classes, ours.SoftmaxFocalLoss(), softmax_focal),
    }
    images = {
        "cross-entropy, images | torch": (classes, ours.CrossEntropyLoss(), torch.nn.CrossEntropyLoss()),
        "cross-entropy, channels last | torch": (channels_last, ours.CrossEntropyLoss(), torch.nn.CrossEntropyLoss()),
    }
    for sizes, group in ((SIZES, elementwise), (SHAPES, rows), (IMAGES, images)):
        for name, (data, a, b) in group.items():
            if peer is not None:
                name = f"{name.partition(' | ')[0]} | torch.compile"
            yield name, sizes, data, both(a), both(b if peer is None else peer(b))


def compiled_rows():
    """The same, with what torch.compile makes of the peers."""
    import torch

    try:
        torch.compile(torch.nn.functional.mse_loss)(torch.ones(2), torch.ones(2))
    except Exception as error:
        yield f"torch.compile does not work here ({type(error).__name__})", None, None, None, None
        return

    def compiled(loss):
        torch._dynamo.reset()
        return torch.compile(loss, dynamic=False)

    yield from torch_rows(compiled)


def numpy_rows():
    import lossref

    def logits(n):
        rng = np.random.default_rng(0)
        return rng.normal(0, 3, n).astype(np.float32), (rng.random(n) > 0.5).astype(np.float32)

    def simplex(n):
        rng = np.random.default_rng(0)
        return np.log(1 - rng.random(n, np.float32)), rng.random(n, np.float32)

    def with_out(data):
        """The same with an array for the gradient that was there before, as in a loop over batches."""
        return lambda n: (*data(n), np.ones(n, np.float32))

    def textbook_bce(x, y):
        value = np.maximum(x, 0) - x * y + np.log1p(np.exp(-np.abs(x)))
        return value.mean(), (1 / (1 + np.exp(-x)) - y) / x.size

    def textbook_focal(x, y, alpha=0.25, gamma=2.0):
        p = 1 / (1 + np.exp(-x))
        p_t, s = np.where(y == 1, p, 1 - p), 2 * y - 1
        a = np.where(y == 1, alpha, 1 - alpha)
        value = -a * (1 - p_t) ** gamma * np.log(p_t)
        return value.mean(), a * s * (1 - p_t) ** gamma * (gamma * p_t * np.log(p_t) + p_t - 1) / x.size

    yield "x + y alone: no pass can take less", SIZES, logits, np.add, None
    bce, focal = lossref.BCEWithLogitsLoss(), lossref.SigmoidFocalLoss()
    huber, kl = lossref.HuberLoss(), lossref.KLDivLoss(reduction="sum")
    yield "BCE with logits, NumPy | textbook", SIZES, logits, bce.value_and_grad, textbook_bce
    yield "focal, NumPy | textbook", SIZES, logits, focal.value_and_grad, textbook_focal
    try:
        from scipy import special
    except ImportError:
        for name in ("BCE with logits, NumPy", "Huber, NumPy", "KL, NumPy", "KL, NumPy, out="):
            yield f"{name} | scipy", None, None, None, None
    else:

        def scipy_bce(x, y):
            value = -(y * special.log_expit(x) + (1 - y) * special.log_expit(-x))
            return value.mean(), (special.expit(x) - y) / x.size

        def scipy_huber(x, y):
            return special.huber(1.0, x - y).mean(), np.clip(x - y, -1, 1) / x.size

        def scipy_kl(x, y):
            return special.rel_entr(y, np.exp(x)).sum(), -y

        yield "BCE with logits, NumPy | scipy", SIZES, logits, bce.value_and_grad, scipy_bce
        yield "Huber, NumPy | scipy", SIZES, logits, huber.value_and_grad, scipy_huber
        yield "KL, NumPy | scipy", SIZES, simplex, kl.value_and_grad, scipy_kl

        def scipy_kl_out(x, y, out):
            return special.rel_entr(y, np.exp(x)).sum(), np.negative(y, out=out)

        yield "KL, NumPy, out= | scipy", SIZES, with_out(simplex), kl.value_and_grad, scipy_kl_out
    try:
        from sklearn._loss import HalfBinomialLoss
        from sklearn.metrics import log_loss
    except ImportError:
        for peer in ("NumPy | scikit-learn", "NumPy, out= | scikit-learn"):
            yield f"BCE with logits, {peer}", None, None, None, None
        yield "BCE, value, NumPy | log_loss", None, None, None, None
    else:
        half = HalfBinomialLoss()

        def sklearn_bce(x, y):
            value, gradient = half.loss_gradient(y_true=y, raw_prediction=x, n_threads=1)
            return value.mean(), gradient / x.size

        def sklearn_bce_out(x, y, out):
            value, _ = half.loss_gradient(y_true=y, raw_prediction=x, gradient_out=out, n_threads=1)
            return value.mean(), np.divide(out, x.size, out=out)

        def probabilities(n):
            x, y = logits(n)
            return 1 / (1 + np.exp(-x)), y

        yield "BCE with logits, NumPy | scikit-learn", SIZES, logits, bce.value_and_grad, sklearn_bce
        data = with_out(logits)
        yield "BCE with logits, NumPy, out= | scikit-learn", SIZES, data, bce.value_and_grad, sklearn_bce_out
        yield "BCE, value, NumPy | log_loss", SIZES, probabilities, lossref.BCELoss(), lambda p, y: log_loss(y, p)


ROWS = {"torch": torch_rows, "compiled": compiled_rows, "numpy": numpy_rows}


def ratio(data, candidate, peer, seconds):
    """Medians of interleaved times, in seconds."""
    times = [], []
    for f in (candidate, peer):
        f(*data)
    until = time.perf_counter() + seconds
    while time.perf_counter() < until or len(times[0]) < 5:
        for f, kept in zip((candidate, peer), times, strict=True):
            start = time.perf_counter()
            f(*data)
            kept.append(time.perf_counter() - start)
    return tuple(map(median, times))


def child(part, name, which):
    """In a fresh process: the extra peak memory of one pass, in copies of the input."""
    for row, sizes, data, *functions in ROWS[part]():
        if row == name:
            small, large = (data(size) for size in (sizes[0], sizes[-1]))
            f = functions[which]
            f(*small)
            with open("/proc/self/clear_refs", "w") as peak:
                peak.write("5")  # what making the data took is no part of it
            before = status("VmRSS")
            f(*large)
            print(json.dumps((status("VmHWM") - before) * 1024 / large[0].nbytes))


def status(key):
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith(key))


def memory(part, name, which):
    if not sys.platform.startswith("linux"):
        return "-"
    done = subprocess.run(
        [sys.executable, __file__, "--child", part, name, str(which)],
        capture_output=True,
        text=True,
        check=True,
    )
    return f"{json.loads(done.stdout):.1f}"


def report(part, quick):
    print(
        f"{'':44}"
        + "".join(f"{h:>15}" for h in ("small", "medium", "large"))
        + f"{'goal':>8}{'memory':>9}{'peer':>6}"
    )
    for name, sizes, data, candidate, peer in ROWS[part]():
        if sizes is None:
            print(f"{name:44}  not measured: the peer is not there", flush=True)
            continue
        cells = []
        for size in sizes[:2] if quick else sizes:
            ours, theirs = ratio(data(size), candidate, peer or candidate, 0.3 if quick else 1.0)
            cells.append(f"{ours / theirs:7.2f} {ours * 1e6:7.0f}" if peer else f"{ours * 1e6:7.0f}")
        goal = GOALS.get(name, (None, None))[int(os.environ.get(HUGE_PAGES[0]) == "1")]
        line = f"{name:44}" + "".join(f"{c:>15}" for c in cells)
        if not quick and peer:
            line += f"{'' if goal is None else f'≤{goal:.2f}':>8}{memory(part, name, 0):>9}{memory(part, name, 1):>6}"
        print(line, flush=True)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="only the two smaller sizes, no memory")
    parser.add_argument("--part", choices=ROWS, help="only torch, only what torch.compile makes of it, or only NumPy")
    parser.add_argument("--inner", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--child", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        part, name, which = arguments.child
        return child(part, name, int(which))
    if arguments.inner:
        return report(arguments.part, arguments.quick)
    print(
        f"{platform.platform()}, {os.cpu_count()} cores, Python {platform.python_version()}, NumPy {np.__version__}"
    )
    print(
        "each cell: time of lossref / time of the peer, then microseconds of lossref; memory in copies of the input"
    )
    for part in [arguments.part] if arguments.part else ROWS:
        for huge in ("0", "1"):
            print(f"\n{part}, huge pages {'on' if huge == '1' else 'off'}", flush=True)
            command = [
                sys.executable,
                __file__,
                "--inner",
                "--part",
                part,
                *(["--quick"] if arguments.quick else []),
            ]
            # (where torch is measured, NumPy keeps its own: what lossref.torch allocates is NumPy's)
            switches = HUGE_PAGES if part == "numpy" else HUGE_PAGES[:1]
            subprocess.run(command, env={**os.environ, **dict.fromkeys(switches, huge)}, check=True)


if __name__ == "__main__":
    main()
