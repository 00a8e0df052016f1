"""The published fits: BG/NBD and Gamma-Gamma on the CDNOW sample, sBG on the high-end customers of its paper."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from lifecourse.customer_base import bg_nbd, gamma_gamma, sbg
from lifecourse.errors import LifecourseError

SAMPLE = Path(__file__).parents[2] / "data" / "cdnow" / "customers.csv"


@pytest.fixture(scope="module")
def cdnow() -> dict[str, np.ndarray]:
    with SAMPLE.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {name: np.array([float(row[name]) for row in rows]) for name in ("x", "t_x", "T", "zbar")}


@pytest.fixture(scope="module")
def fitted(cdnow: dict[str, np.ndarray]) -> bg_nbd.BgNbd:
    return bg_nbd.fit(cdnow["x"], cdnow["t_x"], cdnow["T"])


def test_bg_nbd_has_the_published_parameters(cdnow: dict[str, np.ndarray], fitted: bg_nbd.BgNbd) -> None:
    assert len(cdnow["x"]) == 2357
    assert [fitted.r, fitted.alpha, fitted.a, fitted.b] == pytest.approx(
        [0.243, 4.414, 0.793, 2.426], abs=2e-3
    )
    assert fitted.log_likelihood == pytest.approx(-9582.4, abs=0.05)


def test_bg_nbd_expects_the_published_purchases(fitted: bg_nbd.BgNbd) -> None:
    expected = fitted.expected_purchases(np.array([2.0]), np.array([30.43]), np.array([38.86]), 39)
    assert expected[0] == pytest.approx(1.226, abs=1e-3)


def test_somebody_without_a_repeat_purchase_is_still_there(fitted: bg_nbd.BgNbd) -> None:
    alive = fitted.alive(np.array([0.0, 5.0, 5.0]), np.array([0.0, 38.0, 5.0]), np.array([38.0, 38.0, 38.0]))
    assert alive[0] == 1
    assert alive[1] > 0.8
    assert alive[2] < 0.1


def test_gamma_gamma_has_the_published_parameters(cdnow: dict[str, np.ndarray]) -> None:
    repeat = cdnow["x"] > 0
    found = gamma_gamma.fit(cdnow["x"][repeat], cdnow["zbar"][repeat])
    assert [found.p, found.q, found.v] == pytest.approx([6.25, 3.74, 15.44], abs=0.02)
    # Nobody known: the mean of all; a customer with many purchases: nearly the own mean.
    assert found.expected_amount(np.array([0.0]), np.array([0.0]))[0] == pytest.approx(35.2, abs=0.2)
    assert found.expected_amount(np.array([500.0]), np.array([80.0]))[0] == pytest.approx(80, abs=0.2)


def test_sbg_has_the_published_parameters_of_the_high_end() -> None:
    surviving = np.array([1.0, 0.869, 0.743, 0.653, 0.593, 0.551, 0.517, 0.491]) * 1000
    found = sbg.fit(np.arange(1, 8), surviving[:-1], surviving[1:])
    assert [found.alpha, found.beta] == pytest.approx([0.668, 3.806], abs=2e-3)
    assert found.survival(7) == pytest.approx(0.491, abs=0.01)


def test_a_base_in_which_nobody_ever_leaves_is_an_error_or_says_so() -> None:
    found = sbg.fit(np.array([1, 2]), np.array([100, 100]), np.array([100, 100]))
    assert found.renewal_rate(np.array([1]))[0] > 0.999


def test_numbers_that_are_none_are_an_error() -> None:
    with pytest.raises(LifecourseError, match="no maximum"):
        bg_nbd.fit(np.array([np.nan]), np.array([1.0]), np.array([2.0]))
