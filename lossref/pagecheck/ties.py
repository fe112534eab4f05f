"""The page's loss is the package's loss.

A tie in the front matter names a loss of ``lossref`` and the symbols that stand
for its value, input and target.  At points of the declared domain the page's
value, gradient and Hessian (derivatives of the page's own definition) must equal

    lossref        to a few units of the last place,
    lossref.torch  through autograd, twice,
    torch.nn       where it has the loss, away from the tails it rounds off,

and the derivatives must equal 4th-order differences of the page's formula, so
that nothing rests on the differentiation done here.
"""

from __future__ import annotations

import contextlib
import itertools
import random
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

import lossref
import lossref.torch

from .formula import page_scope
from .formula import values as v
from .formula.evaluate import Evaluator
from .formula.points import SEED, describe, points
from .formula.scope import Scope, matter
from .formula.statements import read_expression
from .formula.syntax import Elem, Name, Node, Num
from .formula.tokens import FormulaError
from .formula.values import Undefined, mp
from .source import Check, Page, PageError
from .state import State

KEYS = {"loss", "value", "input", "target", "args", "reduction"}
POINTS = 4  # of every style of draw one
EXACT = 1e-12  # relative: binary64, a few ulp, summed over a batch
TORCH = 1e-6  # relative to the largest entry: torch rounds its tails
MODERATE = 10.0  # beyond this, or this near the end of the input's range, torch rounds: a documented difference
NEAR_END = 1e-4
STEP = mp.mpf(10) ** -25


@dataclass
class Tie:
    """One ``ties:`` entry, parsed."""

    loss: str
    value: Node
    input: Node
    target: Node
    args: dict[str, Node | Any]
    reduction: str


def tie_checks(page: Page) -> list[Check]:
    """One check for every entry of the front matter's ``ties:``."""
    ties = page.front.get("ties") or []
    if not isinstance(ties, list):
        raise PageError(
            page.front_at("ties"),
            "`ties:` wants a list: - {loss: BCELoss, value: L, input: p_n, target: y_n}",
        )
    checks = []
    for i, entry in enumerate(ties):
        where = page.front_at("ties", i)
        name = f"lossref.{entry['loss']}" if isinstance(entry, dict) and "loss" in entry else "tie"

        def run(entry=entry, where=where) -> str:
            try:
                with State().entered():
                    return _check(_parse(entry, page_scope(page)), page_scope(page))
            except FormulaError as error:
                raise PageError(where, error.message + (f"\n  fix: {error.fix}" if error.fix else "")) from None
            except Undefined as error:
                raise PageError(where, f"the page's formula cannot be evaluated: {error}") from None
            except (TypeError, ValueError, IndexError) as error:
                raise PageError(where, f"the code refuses what the page gives it: {error}") from None

        def depends(entry=entry) -> tuple | None:
            try:
                tie = _parse(entry, page_scope(page))
            except FormulaError:
                return None
            nodes = [tie.value, tie.input, tie.target, *tie.args.values()]
            return ("tie", repr(entry), *nodes, matter(page_scope(page), nodes))

        checks.append(Check("tie", where, name, run, depends=depends))
    return checks


def _parse(entry, scope: Scope) -> Tie:
    if not isinstance(entry, dict):
        raise FormulaError(
            f"a tie is a mapping, got {entry!r}", fix="{loss: BCELoss, value: L, input: p_n, target: y_n}"
        )
    if unknown := set(entry) - KEYS:
        raise FormulaError(f"unknown key {sorted(unknown)[0]!r} in a tie; known: {', '.join(sorted(KEYS))}")
    if missing := {"loss", "value", "input", "target"} - set(entry):
        raise FormulaError(f"a tie needs `{sorted(missing)[0]}:`")
    if str(entry["loss"]) not in lossref.LOSSES:
        raise FormulaError(f"lossref has no {entry['loss']!r}; it has {', '.join(lossref.LOSSES)}")

    def node(key: str) -> Node:
        return read_expression(str(entry[key]), scope)[0]

    args = entry.get("args") or {}
    if not isinstance(args, dict):
        raise FormulaError(f"`args:` wants a mapping, got {args!r}", fix="args: {weight: w_n}")
    args = {key: read_expression(str(text), scope)[0] for key, text in args.items()}
    return Tie(
        entry["loss"],
        node("value"),
        node("input"),
        node("target"),
        args,
        str(entry.get("reduction", "mean")),
    )


# ---- comparing -------------------------------------------------------------------------------


def _check(tie: Tie, scope: Scope) -> str:
    loss_class = lossref.LOSSES[tie.loss]
    nodes = [tie.value, tie.input, tie.target, *tie.args.values()]
    last = None
    for point, env, needs in points(scope, nodes, [], POINTS, beyond=False):
        if point is last:
            continue  # another index at the same point: the indices only name the family
        last = point
        evaluator = Evaluator(scope, point)
        entries = _entries(tie.input, evaluator)
        for entry in entries:
            # Code is given binary64 numbers: a defined input (p := σ(z)) is rounded for the page too.
            key, exact = evaluator.variable(entry, {})
            evaluator.overrides[key] = mp.mpf(float(exact))
        evaluator.memo.clear()
        x, y = _array(tie.input, evaluator), _array(tie.target, evaluator)
        args = {key: a.item() if (a := _array(node, evaluator)).ndim == 0 else a for key, node in tie.args.items()}
        loss = loss_class(**args, reduction=tie.reduction)
        said = f"at {describe(point, env, needs)}  (seed {SEED})"
        page = _Derivatives(tie, evaluator, entries, x.shape)
        page.confirm_by_differences(said)
        _same("value", page.value, loss(x, y), EXACT, f"lossref.{tie.loss}", said)
        _same("gradient", page.gradient, loss.grad(x, y), EXACT, f"lossref.{tie.loss}", said)
        hessian = np.asarray(loss.hess(x, y))
        page_hessian = page.hessian if hessian.ndim > x.ndim else page.diagonal
        _same("Hessian", page_hessian, hessian, EXACT, f"lossref.{tie.loss}", said)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what torch announces is the page's matter
            _compare_torch(tie, page, x, y, args, said)
    if last is None:
        raise FormulaError("no point was found to compare at")
    return "核对一致"


class _Derivatives:
    """Value, gradient and Hessian of the page's formula at one point, by dual numbers."""

    def __init__(self, tie: Tie, evaluator: Evaluator, entries: list[Node], shape: tuple[int, ...]):
        self.tie, self.evaluator, self.entries, self.shape = tie, evaluator, entries, shape
        evaluator.derive(tie.value, [entries[0]], {})  # says so if the value does not depend on the input
        self.exact = self._real(evaluator.eval(tie.value, {}))
        self.exact_gradient, self.exact_hessian = [], []
        for i, a in enumerate(entries):
            with evaluator.varied(a, {}) as (_, first):
                self.exact_gradient.append(self._real(v.part(evaluator.eval(tie.value, {}), first)))
                self.exact_hessian.append([])
                for b in entries[: i + 1]:
                    with evaluator.varied(b, {}) as (_, second):
                        both = v.part(v.part(evaluator.eval(tie.value, {}), second), first)
                    self.exact_hessian[i].append(self._real(both))
        self.value = np.float64(self.exact)
        self.gradient = np.array(self.exact_gradient, dtype=np.float64).reshape(shape)
        self.full = np.empty((len(entries), len(entries)))
        for i, row in enumerate(self.exact_hessian):
            self.full[i, : i + 1] = self.full[: i + 1, i] = row
        self.diagonal = np.diagonal(self.full).reshape(shape)

    @property
    def hessian(self) -> np.ndarray:
        """One block for each sample: the last axis against itself."""
        classes = self.shape[-1]
        samples = self.full.reshape(-1, classes, self.full.shape[0] // classes, classes)
        blocks = [samples[i, :, i, :] for i in range(samples.shape[0])]
        return np.array(blocks).reshape(*self.shape, classes)

    @staticmethod
    def _real(value):
        value = v.real(value)
        if isinstance(value, v.Matrix):
            raise FormulaError(
                "a tie's `value:` must be one number", fix="tie the loss of one sample, or a reduced one"
            )
        return value

    def confirm_by_differences(self, said: str) -> None:
        """Gradient and Hessian against quotients along one direction that has a part in every entry."""
        chance = random.Random(SEED)
        places = [self.evaluator.variable(a, {}) for a in self.entries]
        way = [mp.mpf(chance.choice((-1, 1)) * chance.uniform(0.5, 1.5)) for _ in places]

        def at(step):
            with contextlib.ExitStack() as held:
                for (key, centre), part in zip(places, way, strict=True):
                    held.enter_context(self.evaluator.override(key, centre + step * part))
                return self._real(self.evaluator.eval(self.tie.value, {}))

        try:
            below2, below, above, above2 = (at(k * STEP) for k in (-2, -1, 1, 2))
        except Undefined:
            return  # the step leaves the domain
        slope = (8 * (above - below) - (above2 - below2)) / (12 * STEP)
        bend = (16 * (above + below) - 30 * self.exact - (above2 + below2)) / (12 * STEP**2)
        slopes = [g * part for g, part in zip(self.exact_gradient, way, strict=True)]
        bends = [
            h * way[i] * way[j] * (1 if i == j else 2)
            for i, row in enumerate(self.exact_hessian)
            for j, h in enumerate(row)
        ]
        for order, parts, quotient in ((1, slopes, slope), (2, bends, bend)):
            name = ("derivative", "second derivative")[order - 1]
            total = mp.fsum(parts)
            rounding = mp.mpf(10) ** (10 - v.DIGITS) * self.evaluator.scale / STEP**order
            if abs(quotient - total) > max(mp.mpf(10) ** -20 * max(map(abs, parts)), rounding):
                raise FormulaError(
                    f"the {name} {v.show(total, 20)} along a line is not the difference quotient "
                    f"{v.show(quotient, 20)}\n  {said}"
                )


def _compare_torch(tie: Tie, page: _Derivatives, x, y, args: dict, said: str) -> None:
    def build(module_class):
        """torch takes settings (label_smoothing) as numbers and weights (pos_weight) as tensors."""
        try:
            return module_class(
                **{k: torch.as_tensor(a) if isinstance(a, np.ndarray) else a for k, a in args.items()},
                reduction=tie.reduction,
            )
        except TypeError:
            return module_class(
                **{k: torch.tensor(a, dtype=torch.float64) for k, a in args.items()}, reduction=tie.reduction
            )

    peers: list = [(f"lossref.torch.{tie.loss}", getattr(lossref.torch, tie.loss), EXACT * 10)]
    low, high = getattr(lossref.LOSSES[tie.loss], "input_range", None) or (-np.inf, np.inf)
    if hasattr(torch.nn, tie.loss) and np.all((np.abs(x) < MODERATE) & (x > low + NEAR_END) & (x < high - NEAR_END)):
        peers.append((f"torch.nn.{tie.loss}", getattr(torch.nn, tie.loss), TORCH))
    for name, module_class, tolerance in peers:
        try:
            module = build(module_class)
        except TypeError:
            if module_class.__module__.startswith("torch."):
                continue  # an argument that torch.nn does not know, such as the weight of MSELoss
            raise
        target = torch.as_tensor(y)
        source = torch.as_tensor(x).clone().requires_grad_(True)

        value = module(source, target)
        (gradient,) = torch.autograd.grad(value, source, create_graph=True)
        _same("value", page.value, value.detach().numpy(), tolerance, name, said)
        _same("gradient by autograd", page.gradient, gradient.detach().numpy(), tolerance, name, said)
        rows = [_row(entry, source) for entry in gradient.reshape(-1)]
        hessian = torch.stack(rows).reshape(gradient.shape + gradient.shape)
        # autograd sums terms as large as the gradient: its Hessian is right to their digits
        full = page.full.reshape(hessian.shape)
        size = max(np.max(np.abs(full), initial=0.0), np.max(np.abs(page.gradient), initial=0.0))
        _same("Hessian by autograd", full, hessian.numpy(), tolerance, name, said, size)


def _row(slope, source):
    """A slope's own gradient; autograd knows none for a constant."""
    if not slope.requires_grad:
        return torch.zeros_like(source)
    return torch.autograd.grad(slope, source, retain_graph=True, materialize_grads=True)[0]


def _same(what: str, page, code, tolerance: float, name: str, said: str, size=None) -> None:
    page, code = np.asarray(page, dtype=np.float64), np.asarray(code, dtype=np.float64)
    if page.shape != code.shape:
        raise FormulaError(f"{what}: the page's has shape {page.shape}, {name}'s {code.shape}")
    if size is None:
        size = np.max(np.abs(page), initial=0.0) if tolerance == TORCH else np.abs(page)
    wrong = ~(np.abs(page - code) <= tolerance * size + np.finfo(np.float64).tiny)
    if wrong.any():
        i = tuple(np.argwhere(wrong)[0])
        raise FormulaError(f"{what}: the page says {page[i]:.17g}, {name} {code[i]:.17g}\n  {said}")


# ---- symbols as arrays -----------------------------------------------------------------------


def _entries(node: Node, evaluator: Evaluator) -> list[Node]:
    """The single numbers that a symbol stands for, each as an expression to differentiate by."""
    if isinstance(node, Elem) and isinstance(node.base, Name):
        family = evaluator.scope.family(node.base.name, len(node.indices))
        lengths = [evaluator.size(s) for s in family.shape]
    elif isinstance(node, Name):
        symbol = evaluator.scope.find(node.name)
        if symbol is None or not symbol.shape:
            return [node]
        lengths = [evaluator.size(s) for s in symbol.shape]
        node = Elem(node, ())
    else:
        raise FormulaError("a tie's `input:` is a symbol", *node.span)
    indices = itertools.product(*(range(1, n + 1) for n in lengths))
    return [Elem(node.base, tuple(Num(str(i)) for i in index)) for index in indices]


def _array(node: Node, evaluator: Evaluator) -> np.ndarray:
    """The symbol's values as the binary64 array that code is given."""
    if isinstance(node, (Name, Elem)):
        entries = _entries(node, evaluator)
        numbers = [float(v.real(evaluator.eval(e, {}))) for e in entries]
        symbol = (
            evaluator.scope.find(node.name)
            if isinstance(node, Name)
            else evaluator.scope.family(node.base.name, len(node.indices))
        )
        # Declared `integer a..b`: class indices, which code wants as integers.
        whole = symbol.domain is not None and symbol.domain.text.startswith("integer")
        array = np.array(numbers, dtype=np.int64 if whole else np.float64)
        return array.reshape([evaluator.size(s) for s in symbol.shape])
    return np.array(float(v.real(evaluator.eval(node, {}))))


__all__ = ["tie_checks"]
