"""Fits a sequence network: Adam, early stopping on customers it does not learn from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import autograd.numpy as anp
import numpy as np
import numpy.typing as npt
from autograd import value_and_grad

from training.facts import Ints
from training.sequence.networks import Network, NetworkSize, Weights
from training.sequence.tokens import TokenSet

Floats = npt.NDArray[np.float64]
Floats32 = npt.NDArray[np.float32]
Progress = Callable[[int, int], None]
"""Called with epochs done and in all."""
_BETAS = (0.9, 0.999)
_EPSILON = 1e-8


@dataclass(frozen=True, slots=True)
class FitSettings:
    """How a network is fitted.

    Attributes:
        max_epochs: Passes over the cases at most.
        patience: Epochs without a better loss on the held-out customers before it stops.
        batch_size: Cases of a step.
        step_size: Of Adam (Kingma and Ba 2015).
        decay: Share by which weights shrink each step, times the step size.
        held_out_share: Share of customers that only stop it.
    """

    max_epochs: int = 12
    patience: int = 3
    batch_size: int = 256
    step_size: float = 1e-3
    decay: float = 1e-2
    held_out_share: float = 0.15


@dataclass(frozen=True, eq=False)
class SequenceCases:
    """What a network learns from; arrays of `n` cases.

    Attributes:
        tokens: The last events.
        columns: Shape `(n, k)`, float32: scaled columns beside them; k = 0: none.
        offset: Log-odds that the network adds to.
        label: 0 or 1.
        weight: How many cases each stands for.
        group: Customer.
    """

    tokens: TokenSet
    columns: Floats32
    offset: Floats
    label: Floats
    weight: Floats
    group: Ints

    def select(self, chosen: Ints) -> SequenceCases:
        """Return some of the cases."""
        return SequenceCases(
            self.tokens.select(chosen),
            self.columns[chosen],
            self.offset[chosen],
            self.label[chosen],
            self.weight[chosen],
            self.group[chosen],
        )


@dataclass(frozen=True, eq=False)
class FittedNetwork:
    """A network that was fitted.

    Attributes:
        network: Its kind.
        size: Its size.
        weights: Its parameters.
        n_epochs: Passes that led to them.
        loss: Log loss on the customers held out.
        loss_before: Theirs of the offset with the best constant.
    """

    network: Network
    size: NetworkSize
    weights: Weights
    n_epochs: int
    loss: float
    loss_before: float


def fit_network(
    network: Network,
    size: NetworkSize,
    cases: SequenceCases,
    settings: FitSettings,
    seed: int,
    progress: Progress = lambda _done, _total: None,
) -> FittedNetwork:
    """Return the network with the least loss on customers it did not learn from.

    Args:
        network: Which.
        size: How large.
        cases: The train part.
        settings: How.
        seed: Of weights, customers held out and the order of cases.
        progress: Told after each epoch.
    """
    random = np.random.default_rng(seed)
    is_out = random.random(int(cases.group.max()) + 1)[cases.group] < settings.held_out_share
    kept, held_out = np.flatnonzero(~is_out), cases.select(np.flatnonzero(is_out))
    weights = network.initialise(size, random)
    weights["out_bias"][:] = _fit_constant(cases)

    def compute_loss(weights: Weights, part: SequenceCases) -> float:
        logit = part.offset + network.forward(weights, size, part.tokens, part.columns)
        sign = 1.0 - 2.0 * part.label
        loss: float = anp.sum(part.weight * anp.logaddexp(0.0, sign * logit)) / part.weight.sum()
        return loss

    step = value_and_grad(compute_loss)
    adam = _Adam(settings)
    best, best_loss, best_epoch = weights, _measure(compute_loss, weights, held_out), 0
    loss_before = best_loss
    for epoch in range(1, settings.max_epochs + 1):
        for chosen in np.array_split(
            random.permutation(kept), max(1, len(kept) // settings.batch_size)
        ):
            _, gradient = step(weights, cases.select(chosen))
            weights = adam.step(weights, gradient)
        loss = _measure(compute_loss, weights, held_out)
        progress(epoch, settings.max_epochs)
        if loss < best_loss:
            best, best_loss, best_epoch = weights, loss, epoch
        elif epoch - best_epoch >= settings.patience:
            break
    return FittedNetwork(network, size, best, best_epoch, best_loss, loss_before)


def predict_logit(fitted: FittedNetwork, cases: SequenceCases, n_each: int = 4_096) -> Floats:
    """Return log-odds of cases, the offset included, shape `(n,)`."""
    found = np.zeros(len(cases.label))
    for start in range(0, len(found), n_each):
        part = cases.select(np.arange(start, min(start + n_each, len(found))))
        found[start : start + n_each] = part.offset + fitted.network.forward(
            fitted.weights, fitted.size, part.tokens, part.columns
        )
    return found


def _measure(
    compute_loss: Callable[[Weights, SequenceCases], float], weights: Weights, part: SequenceCases
) -> float:
    return float(compute_loss(weights, part))


def _fit_constant(cases: SequenceCases) -> float:
    """Return the number that makes the offset's mean right, by bisection."""
    low, high = -20.0, 20.0
    for _ in range(50):
        middle = (low + high) / 2
        mean = np.average(1.0 / (1.0 + np.exp(-cases.offset - middle)), weights=cases.weight)
        if mean < np.average(cases.label, weights=cases.weight):
            low = middle
        else:
            high = middle
    return (low + high) / 2


class _Adam:
    """Adam with decoupled decay (Loshchilov and Hutter 2019)."""

    def __init__(self, settings: FitSettings) -> None:
        self._settings = settings
        self._first: Weights = {}
        self._second: Weights = {}
        self._n_steps = 0

    def step(self, weights: Weights, gradient: Weights) -> Weights:
        """Return the weights after one step."""
        self._n_steps += 1
        moved = {}
        for name, value in weights.items():
            slope = gradient[name]
            first = _BETAS[0] * self._first.get(name, 0.0) + (1 - _BETAS[0]) * slope
            second = _BETAS[1] * self._second.get(name, 0.0) + (1 - _BETAS[1]) * slope**2
            self._first[name], self._second[name] = first, second
            mean = first / (1 - _BETAS[0] ** self._n_steps)
            spread = np.sqrt(second / (1 - _BETAS[1] ** self._n_steps)) + _EPSILON
            shrunk = value * (1 - self._settings.step_size * self._settings.decay)
            moved[name] = np.asarray(shrunk - self._settings.step_size * mean / spread, np.float32)
        return moved
