"""Maximum likelihood over positive parameters."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from lifecourse.errors import LifecourseError

Array = NDArray[np.float64]


def maximise(log_likelihood: Callable[[Array], float], start: Array, model: str) -> tuple[list[float], float]:
    """Parameters of the highest likelihood, and that likelihood; the search runs over their logarithms.

    Raises `LifecourseError` where it does not converge.
    """

    def cost(logs: Array) -> float:
        with np.errstate(all="ignore"):
            value = -log_likelihood(np.exp(logs))
        return value if np.isfinite(value) else 1e12

    # Nelder-Mead finds the neighbourhood from any start; from there a gradient finds the place.
    near = minimize(cost, np.log(start), method="Nelder-Mead", options={"maxiter": 5000, "xatol": 1e-6})
    found = minimize(cost, near.x, method="L-BFGS-B", bounds=[(-15.0, 15.0)] * len(start))
    best = found if found.fun <= near.fun else near
    if not np.isfinite(best.fun) or best.fun >= 1e12 or not (near.success or found.success):
        raise LifecourseError(
            "the likelihood has no maximum that was found",
            f"model {model}",
            "look at its input: too few customers buy again, or all do",
        )
    return [float(value) for value in np.exp(best.x)], -float(best.fun)
