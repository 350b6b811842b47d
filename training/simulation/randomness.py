"""Randomness by name: each draw is a pure function of (seed, scope, purpose, step).

A stream of random numbers couples everything that draws from it: one draw more
in one place moves all that follow. Here nothing is consumed. A draw hashes its
own name, so a changed parameter changes only what it causes, and a draw may be
added without moving another.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from statistics import NormalDist

import xxhash

_UNIT = 2.0**-53
_HALF_STEP = 2.0**-54
_STRIDE = 0x9E3779B97F4A7C15
"""Odd, hence the keys of 2^64 steps all differ (2^64 over the golden ratio)."""
_MASK = 2**64 - 1
_normal_quantile = NormalDist().inv_cdf
_hash64 = xxhash.xxh3_64_intdigest
_hash128 = xxhash.xxh3_128_hexdigest


def accumulate_weights(weights: Sequence[float]) -> tuple[float, ...]:
    """Return running sums of weights, scaled to end at 1, for `KeyedRandom.index`.

    >>> accumulate_weights([1, 1, 2])
    (0.25, 0.5, 1.0)
    """
    total = math.fsum(weights)
    if not total > 0.0:
        raise ValueError("weights must have a positive sum")
    sums = [value / total for value in accumulate(weights)]
    sums[-1] = 1.0
    return tuple(sums)


def to_lognormal(u: float, median: float, sigma: float) -> float:
    """Return the log-normal number that belongs to a uniform one in (0, 1)."""
    return median * math.exp(sigma * _normal_quantile(u))


class KeyedRandom:
    """Draws for one scope, e.g. one order of one customer.

    Two draws with the same seed, scope, purpose and step are equal, any others
    independent: a scope's key is the XXH3 of its name, keyed by what lies around
    it (the hashed seed at last), and a draw that of its purpose, keyed by scope and step.
    XXH3 passes SMHasher's avalanche and seed tests on short keys such as these.

    Args:
        seed: Seed of the whole simulation, 0 to 2^64 - 1.
        scope: Name of the entity, e.g. `c17`.

    Attributes:
        seed: Of the whole simulation.

    >>> draws = KeyedRandom(7, "c17")
    >>> draws.uniform("hold") == KeyedRandom(7, "c17").uniform("hold")
    True
    >>> draws.uniform("hold", 1) == draws.uniform("hold", 2)
    False
    """

    __slots__ = ("_key", "seed")

    def __init__(self, seed: int, scope: str, around: int | None = None) -> None:
        self.seed = seed
        # The seed is hashed first: small seeds and short names differ in few bits, and would meet.
        key = _hash64(seed.to_bytes(8, "little")) if around is None else around
        self._key = _hash64(scope.encode(), key)

    def narrow(self, part: str) -> KeyedRandom:
        """Return the draws of an entity inside this one."""
        return KeyedRandom(self.seed, part, self._key)

    def uniform(self, purpose: str, step: int = 0) -> float:
        """Return a number in [0, 1), 53 bits fine."""
        key = (self._key + step * _STRIDE) & _MASK if step else self._key
        return (_hash64(purpose.encode(), key) >> 11) * _UNIT

    def three_uniforms(self, purpose: str, step: int = 0) -> tuple[float, float, float]:
        """Return three independent numbers in (0, 1), 20, 20 and 24 bits fine."""
        bits = _hash64(purpose.encode(), (self._key + step * _STRIDE) & _MASK)
        return (
            ((bits & 0xFFFFF) + 0.5) * 2.0**-20,
            ((bits >> 20 & 0xFFFFF) + 0.5) * 2.0**-20,
            ((bits >> 40) + 0.5) * 2.0**-24,
        )

    def is_hit(self, purpose: str, probability: float, step: int = 0) -> bool:
        """Return True with the given probability.

        Monotone in the probability for one name: raising it never undoes a hit.
        """
        return self.uniform(purpose, step) < probability

    def normal(self, purpose: str, step: int = 0) -> float:
        """Return a standard normal number (by inverse: monotone in the uniform)."""
        return _normal_quantile(self.uniform(purpose, step) + _HALF_STEP)

    def lognormal(self, purpose: str, median: float, sigma: float, step: int = 0) -> float:
        """Return a log-normal number with that median and log standard deviation."""
        return to_lognormal(self.uniform(purpose, step) + _HALF_STEP, median, sigma)

    def exponential(self, purpose: str, mean: float, step: int = 0) -> float:
        """Return an exponential waiting time."""
        return -mean * math.log1p(-self.uniform(purpose, step))

    def kumaraswamy(self, purpose: str, a: float, b: float, step: int = 0) -> float:
        """Return a number in [0, 1) of Beta-like shape (Kumaraswamy 1980, closed inverse)."""
        return float((1.0 - (1.0 - self.uniform(purpose, step)) ** (1.0 / b)) ** (1.0 / a))

    def integer(self, purpose: str, stop: int, step: int = 0) -> int:
        """Return an integer in [0, stop)."""
        return int(self.uniform(purpose, step) * stop)

    def index(self, purpose: str, sums: Sequence[float], step: int = 0) -> int:
        """Return an index drawn by running sums of `accumulate_weights`."""
        return bisect_right(sums, self.uniform(purpose, step), 0, len(sums) - 1)

    def token(self, purpose: str, step: int = 0) -> str:
        """Return 24 hexadecimal digits: an identifier that says nothing of its entity."""
        return _hash128(purpose.encode(), (self._key + step * _STRIDE) & _MASK)[:24]
