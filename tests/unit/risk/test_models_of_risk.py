"""Models of risk on made-up customers: what is planted is found, what is noise is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.metrics import roc_auc_score

from lifecourse.risk import learning, measures
from lifecourse.risk.learning import calibrated, fit_boosting, fit_logistic
from lifecourse.risk.proving import Sample, prove, split_by_time
from lifecourse.risk.scoring import Scorer, logistic

ROWS = 3_000


def customers(seed: int, strength: float, rule_strength: float = 1.0) -> Sample:
    """Rows of ten days; cases follow `idle` (a step) and `late` (a line) by `strength`, and danger by `rule_strength`."""
    rng = np.random.default_rng(seed)
    values = pd.DataFrame(
        {
            "idle": rng.integers(0, 60, ROWS).astype(float),
            "late": rng.uniform(0, 1, ROWS),
            "noise": rng.normal(0, 1, ROWS),
            "always": np.ones(ROWS),
        }
    )
    danger = rng.random(ROWS) < 0.2
    logit = -2.2 + strength * (1.5 * (values["idle"] > 30) + 2 * (values.late - 0.5)) + rule_strength * danger
    case = rng.random(ROWS) < logistic(logit.to_numpy())
    values.loc[rng.random(ROWS) < 0.1, "late"] = np.nan
    day = np.sort(rng.integers(0, 10, ROWS)) * 30
    return Sample(values, case, danger, rng.integers(0, 800, ROWS), split_by_time(day, 30))


def test_a_planted_cause_beats_the_rule() -> None:
    proof = prove(customers(1, strength=1.5), least_cases=20, least_auc_gain=0.02)
    assert proof.verdict == "beats_rule"
    assert proof.measures["auc"] > proof.measures["rule_auc"] + 0.1
    assert proof.measures["auc_gain_low"] > 0
    assert {band.feature for band in proof.drift} <= {"idle", "late", "noise", "always"}
    for feature in ("idle", "late"):
        assert sum(band.share for band in proof.drift if band.feature == feature) == pytest.approx(1)


@pytest.mark.parametrize("seed", range(4))
def test_a_useless_model_is_refused(seed: int) -> None:
    """Danger tells who leaves, the features do not."""
    proof = prove(customers(seed, strength=0, rule_strength=2), least_cases=20, least_auc_gain=0.02)
    assert proof.verdict == "does_not_beat_rule"


def test_what_the_rule_knows_already_is_no_gain() -> None:
    """A model that ranks as the rule does, since the rule is its only useful input, is not used."""
    sample = customers(3, strength=0, rule_strength=2)
    values = sample.values.assign(danger=sample.danger.astype(float))
    proof = prove(Sample(values, sample.case, sample.danger, sample.customer, sample.split), 20, 0.02)
    assert proof.verdict == "does_not_beat_rule"


def test_with_too_few_cases_nothing_is_fitted_and_the_rule_has_its_rates() -> None:
    sample = customers(1, strength=1.5)
    proof = prove(sample, least_cases=10_000, least_auc_gain=0.02)
    assert (proof.verdict, proof.scorer, proof.drift) == ("too_few_cases", None, ())
    assert proof.rule_rate_on is not None and proof.rule_rate_off is not None
    assert proof.rule_rate_on > proof.rule_rate_off


def test_the_same_rows_give_the_same_model() -> None:
    first, second = (prove(customers(1, strength=1.5), 20, 0.02) for _ in range(2))
    assert first == second


def test_the_proof_is_not_touched_by_what_it_is_fitted_to() -> None:
    """Other cases on the days of the proof change the measures, never the model."""
    sample = customers(1, strength=1.5)
    case = np.where(sample.split == 2, ~sample.case, sample.case)
    other = Sample(sample.values, case, sample.danger, sample.customer, sample.split)
    before, after = prove(sample, 20, 0.02), prove(other, 20, 0.02)
    assert before.scorer == after.scorer
    assert before.measures["auc"] == pytest.approx(1 - after.measures["auc"])
    assert after.verdict == "does_not_beat_rule"


def test_nothing_that_is_known_only_after_the_next_part_began_is_fitted_to() -> None:
    day = np.repeat(np.arange(24) * 30, 5)
    for horizon in (40, 60, 150):
        part = split_by_time(day, horizon)
        assert set(part) == {-1, 0, 1, 2}
        assert (day[part == 0] + horizon).max() <= day[part == 1].min()
        assert (day[part == 1] + horizon).max() <= day[part == 2].min()
        assert (part == 2).sum() == 30


def test_too_few_days_leave_a_part_empty() -> None:
    part = split_by_time(np.array([0, 0, 30, 30]), 60)
    assert set(part) == {-1, 2}


@pytest.mark.parametrize("fit", [fit_logistic, fit_boosting])
def test_a_score_is_the_intercept_and_what_features_contribute(fit: object) -> None:
    sample = customers(2, strength=1)
    values, case = sample.part(0)
    scorer: Scorer = fit(values, case)  # type: ignore[operator]
    contributions = scorer.contributions(values)
    assert not contributions.isna().any().any()
    assert contributions.mean().abs().max() < 1e-9, "reasons are against the average"
    assert scorer.score(values) == pytest.approx(scorer.intercept + contributions.sum(axis=1))
    assert measures.auc(scorer.score(values), case) > 0.6


def test_the_steps_of_boosting_are_those_of_its_trees() -> None:
    sample = customers(2, strength=1)
    values, case = sample.part(0)
    filled = values.fillna(values.median())
    model = GradientBoostingClassifier(
        n_estimators=learning.TREES,
        learning_rate=learning.LEARNING_RATE,
        max_depth=1,
        min_samples_leaf=round(learning.LEAST_LEAF * len(values)),
        random_state=0,
    ).fit(filled.to_numpy(), case)
    # Trees compare in single precision.
    assert fit_boosting(values, case).score(values) == pytest.approx(
        model.decision_function(filled.to_numpy()), abs=1e-6
    )


def test_bands_leave_no_value_out() -> None:
    sample = customers(2, strength=1)
    values, case = sample.part(0)
    strange = pd.DataFrame(
        {"idle": [-1e9, 1e9, np.nan], "late": [np.nan] * 3, "noise": [0.0] * 3, "always": [5.0] * 3}
    )
    for fit in (fit_logistic, fit_boosting):
        assert np.isfinite(fit(values, case).score(strange)).all()


def test_calibration_brings_probabilities_to_the_rates_of_later_rows() -> None:
    sample = customers(4, strength=1)
    early, case = sample.part(0)
    later, later_case = sample.part(1)
    # Cases were half as frequent later on.
    rarer = later_case & (np.arange(len(later_case)) % 2 == 0)
    scorer = calibrated(fit_logistic(early, case), later, rarer)
    assert scorer.probability(later).mean() == pytest.approx(rarer.mean(), abs=0.01)


def test_measures_are_those_of_the_books() -> None:
    rng = np.random.default_rng(5)
    probability, case = rng.random(500).round(1), rng.random(500) < 0.3
    assert measures.auc(probability, case) == pytest.approx(roc_auc_score(case, probability))
    bins = measures.reliability(rng.random(500), case)
    assert [each.rows for each in bins] == [50] * 10
    assert sum(each.rows * each.observed for each in bins) == pytest.approx(case.sum())


def test_the_interval_of_a_gain_holds_the_gain_and_draws_customers() -> None:
    rng = np.random.default_rng(6)
    case = rng.random(2_000) < 0.3
    model, rule = case + rng.normal(0, 1, 2_000), (case + rng.normal(0, 2, 2_000)) > 1
    gain = measures.auc(model, case) - measures.auc(rule.astype(float), case)
    low, high = measures.gain_interval(model, rule.astype(float), case, np.arange(2_000))
    assert 0 < low < gain < high
    # Twenty rows of each customer say less than as many customers.
    few = np.repeat(np.arange(100), 20)
    again = [np.repeat(each[:100], 20) for each in (model, rule.astype(float), case)]
    low_of_few, high_of_few = measures.gain_interval(*again, few)
    assert high_of_few - low_of_few > 2 * (high - low)
    # Rows that count as often as they are there.
    times = rng.integers(0, 3, 2_000)
    weighted = measures._auc_of_weighted(np.unique(model, return_inverse=True)[1], case, times)
    assert weighted == pytest.approx(measures.auc(np.repeat(model, times), np.repeat(case, times)))


def test_precision_at_the_top_shares_ties_out() -> None:
    case = np.array([True, False, False, False, True, False, False, False, False, False])
    # Two are wanted: one is above, the other is one of four equal ones, of which one is a case.
    probability = np.array([0.9, 0.5, 0.5, 0.5, 0.5, 0.1, 0.1, 0.1, 0.1, 0.1])
    assert measures.precision_at_top(probability, case, 0.2) == pytest.approx((1 + 1 / 4) / 2)
    assert measures.precision_at_top(np.zeros(10), case, 0.1) == pytest.approx(0.2)


def test_the_stability_index_tells_a_shift_from_none() -> None:
    same = np.array([0.25, 0.25, 0.5])
    assert measures.stability_index(same, same) == 0
    assert measures.stability_index(same, np.array([0.5, 0.25, 0.25])) == pytest.approx(2 * 0.25 * np.log(2))
    assert np.isfinite(measures.stability_index(same, np.array([0.0, 0.5, 0.5])))
