"""Drawing of lots: every draw comes from a generator of one seed, block and theme."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

from lifecourse.simulator.sheets import DAY, Column, Flags, Floats, Ints

Rng = np.random.Generator


def generator(seed: int, block: int, theme: str) -> Rng:
    """A generator that depends on nothing but its three arguments."""
    return np.random.default_rng([seed, block + 1, zlib.crc32(theme.encode())])


def chance(rng: Rng, probability: float | Floats, rows: int) -> Flags:
    """True with the probability given."""
    return rng.random(rows) < probability


def pick(rng: Rng, rows: int, choices: Sequence[object], weights: Sequence[float] | None = None) -> Column:
    """One of the choices per row; an array of objects for words, of int64 for numbers."""
    if weights is None:
        index = rng.integers(0, len(choices), rows)
    else:
        steps = np.cumsum(np.asarray(weights, dtype=float))
        index = np.searchsorted(steps / steps[-1], rng.random(rows), side="right")
        index = np.minimum(index, len(choices) - 1)
    words = not isinstance(choices[0], (int, np.integer))
    return np.array(choices, dtype=object if words else np.int64)[index]


def uniform(rng: Rng, rows: int, low: float, high: float) -> Ints:
    """Whole numbers from `low` to `high`, both included."""
    return rng.integers(int(low), int(high) + 1, rows)


def moments(rng: Rng, days: Ints, low: float, high: float) -> Ints:
    """Instants on those days between two hours of the day (`FAR` days stay far)."""
    return days * DAY + rng.integers(int(low * 3600), int(high * 3600), len(days))


def uniform_hash(keys: Ints, seed: int, salt: str) -> Floats:
    """A number in [0, 1) for every key, from the key, the seed and the salt alone (splitmix64)."""
    mixed = np.uint64((seed * 0x9E3779B97F4A7C15 + zlib.crc32(salt.encode()) * 0xD1B54A32D192ED03) % 2**64)
    with np.errstate(over="ignore"):
        z = keys.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + mixed
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return (z >> np.uint64(11)).astype(np.float64) / float(1 << 53)
