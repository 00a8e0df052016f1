"""Models of risk on the simulated institution: fitted to the published build, and scored by the models of the next.

One institution is built once; the models of risk run again after the fit, as the next night would.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
import psycopg
import pyarrow.parquet as pq
import pytest

from lifecourse import building
from lifecourse.building.run import Build, _dbt, _variables
from lifecourse.orchestration.demo import Simulated
from lifecourse.risk import samples
from lifecourse.risk.fitting import RiskFit, compiled_features, fit, read_rules
from lifecourse.risk.measures import auc
from lifecourse.risk.proving import prove
from lifecourse.risk.scoring import Scorer
from lifecourse.settings import settings
from lifecourse.warehouse.connection import Role, Warehouse
from lifecourse.warehouse.roles import SIMULATED
from lifecourse.warehouse.setup import set_up
from tests.pipeline.canonical import snapshot
from tests.support import payments_server, run_night

pytestmark = pytest.mark.slow

DEMO = Simulated(1_000)
AS_OF = DEMO.nights[0]
#: A day whose future is well known on the day of the build.
BEFORE = date(2025, 9, 30)
SCORED = ("mart_risk_model", "int_risk_score", "mart_churn_risk", "mart_renewal", "mart_pass_risk")

#: Statements that change or take away what happened after a day: facts are gone, and what ends later ends otherwise.
FUTURE = {
    "fct_lifecycle_span": ["valid_from > {day}"],
    "fct_risk_signal": ["opened_on > {day}"],
    "int_study_day": ["study_on > {day}"],
    "fct_attendance": ["lesson_on > {day}"],
    "fct_homework": ["due_on > {day}"],
    "fct_assessment": ["taken_on > {day}"],
    "fct_order_line": ["granted_on > {day}"],
    "fct_enrolment": ["enrolled_on > {day}"],
    "fct_refund": ["requested_on > {day}"],
    "fct_lesson_consumption": ["lesson_on > {day}"],
    "fct_payment": ["paid_on > {day}"],
    "fct_complaint": ["opened_on > {day}"],
    "fct_referral": ["referred_on > {day}"],
    "fct_survey": ["responded_on > {day}"],
    "fct_goal": ["set_on > {day}"],
}
CHANGES = (
    "update core.fct_lifecycle_span set valid_to = null where valid_to > {day}",
    "update core.fct_risk_signal set closed_on = closed_on + 90 where closed_on > {day}",
    "update core.fct_homework set submitted_on = null, submitted_at = null, score = 1 where submitted_on > {day}",
    "update core.fct_enrolment set withdrawn_on = null, result = 'fail', completed_on = null"
    " where coalesce(withdrawn_on, completed_on) > {day}",
    "update core.fct_enrolment set result = 'fail' where coalesce(completed_on, withdrawn_on, ends_on) > {day}",
    "update core.fct_refund set resolved_on = null, resolution = null, refunded_amount = 0 where resolved_on > {day}",
    "update core.fct_complaint set closed_on = null where closed_on > {day}",
    "update core.fct_goal set actual_score = 0, measured_on = null where measured_on > {day}",
    "update core.fct_order set paid_amount = 0, refunded_amount = 9, is_cancelled = true",
)


@dataclass(frozen=True)
class Institution:
    """A published build, and what was fitted to it."""

    warehouse: Warehouse
    build: Build
    fits: Mapping[str, RiskFit]

    def read(self, query: str, values: Any = None) -> pd.DataFrame:
        with self.warehouse.connect(Role.TRANSFORMER) as connection, connection.cursor() as cursor:
            cursor.execute(query.encode(), values)
            assert cursor.description is not None
            return pd.DataFrame(cursor.fetchall(), columns=[column.name for column in cursor.description])

    def features(self, connection: psycopg.Connection[Any], days: list[date]) -> dict[str, pd.DataFrame]:
        compiled = compiled_features(self.warehouse, self.build.build_id, days)
        return {name: samples.features(connection, compiled, name) for name in compiled}


@pytest.fixture(scope="module")
def institution(module_warehouse: Warehouse) -> Institution:
    set_up(module_warehouse, SIMULATED)
    with pytest.MonkeyPatch.context() as patch, payments_server(module_warehouse) as address:
        patch.setenv("LIFECOURSE_PAYMENTS_URL", address)
        DEMO.live(module_warehouse, lambda _: None)
        run_night(module_warehouse, AS_OF - timedelta(days=1), ("bills",))
        run_night(module_warehouse, AS_OF, ("teaching", "signup", "payments"))
        build = building.build(AS_OF, into=module_warehouse)
    fits = {each.target: each for each in fit(module_warehouse)}
    outcomes = _dbt(module_warehouse).run("run", SCORED, _variables(build))
    assert all(each.is_good for each in outcomes), outcomes
    return Institution(module_warehouse, build, fits)


@pytest.fixture(scope="module")
def churn(institution: Institution) -> pd.DataFrame:
    return institution.read("select * from core.mart_churn_risk order by customer_id")


def test_features_know_nothing_of_the_future(institution: Institution) -> None:
    """Everything that happened after a day is taken away or changed: the features of the day stay the same."""
    with institution.warehouse.connect(Role.TRANSFORMER) as connection:
        before = institution.features(connection, [BEFORE])
        _change_the_future(connection, BEFORE)
        after = institution.features(connection, [BEFORE])
        # The same changes do matter where they are no future, so the comparison can fail.
        _change_the_future(connection, BEFORE - timedelta(days=60))
        otherwise = institution.features(connection, [BEFORE])
        connection.rollback()
    for name in before:
        assert len(before[name]) > (200 if name == "customer_features" else 20)
        pd.testing.assert_frame_equal(before[name], after[name])
    changed = before["customer_features"].merge(
        otherwise["customer_features"], on="customer_id", suffixes=("", "_then")
    )
    for feature in ("study_days_28d", "net_paid_365d", "homework_rate_56d", "signals_90d"):
        assert (changed[feature] != changed[f"{feature}_then"]).any(), feature


def _change_the_future(connection: psycopg.Connection[Any], day: date) -> None:
    literal = f"date '{day}'"
    for table, conditions in FUTURE.items():
        for condition in conditions:
            connection.execute(f"delete from core.{table} where {condition.format(day=literal)}".encode())
    for change in CHANGES:
        connection.execute(change.format(day=literal).encode())


def test_training_and_scoring_run_the_same_sql(institution: Institution) -> None:
    """The features of the build's day, compiled as for training, are the rows that the build scores."""
    with institution.warehouse.connect(Role.TRANSFORMER) as connection:
        found = institution.features(connection, [AS_OF])
    for name, key in (("customer_features", "customer_id"), ("enrolment_features", "enrolment_id")):
        built = institution.read(f"select * from core.{name} order by day_on, {key}")
        pd.testing.assert_frame_equal(found[name], built)


def test_every_feature_has_its_words(institution: Institution) -> None:
    words = set(institution.read("select feature from core.risk_feature").feature)
    features: set[str] = set()
    for relation in ("customer_features", "enrolment_features"):
        rows = institution.read(f"select * from core.{relation} limit 1")
        features |= {name for name in rows if samples.is_feature(rows, name)}
    assert words == features


def test_leavers_rank_higher_than_stayers(institution: Institution, churn: pd.DataFrame) -> None:
    """The simulator knows who will leave in the days after the build; the warehouse has seen nothing of them."""
    runs = pq.read_table(settings().home / "simulator" / "truth" / "runs.parquet").to_pandas()
    ended = pd.to_datetime(runs.last_entitled_on).dt.date
    soon = runs[(ended > AS_OF - timedelta(days=30)) & (ended <= AS_OF + timedelta(days=60))]
    registry = institution.read("select customer_id, learner_id from core.customer_registry")
    leavers = set(registry[registry.learner_id.isin(soon.learner_id.astype(str))].customer_id)
    leaves = churn.customer_id.isin(leavers).to_numpy()
    probability = churn.churn_probability.astype(float).to_numpy()
    assert 20 < leaves.sum() < len(leaves) / 2
    assert auc(probability, leaves) > 0.75
    assert auc(probability, leaves) > auc(churn.is_in_danger.to_numpy(float), leaves)
    assert leaves[churn.risk_band == "high"].mean() > 2 * leaves[churn.risk_band == "low"].mean()


def test_probabilities_are_those_of_the_fitted_model(institution: Institution) -> None:
    used = institution.read("select target, scorer, reason_code from core.mart_risk_model").set_index(
        "target"
    )
    scores = institution.read(
        "select target, scored_id, probability, reason_1_code, is_in_danger from core.int_risk_score"
    )
    features = {
        "customer_id": institution.read("select * from core.customer_features"),
        "enrolment_id": institution.read("select * from core.enrolment_features"),
    }
    for target, fitted in institution.fits.items():
        key = "enrolment_id" if target == "pass" else "customer_id"
        mine = scores[scores.target == target].set_index("scored_id").sort_index()
        rows = features[key].set_index(key).loc[mine.index]
        if used.scorer[target] == "rule":
            on, off = fitted.proof.rule_rate_on, fitted.proof.rule_rate_off
            expected = np.where(rows.danger > 0, on, off)
        else:
            scorer = fitted.proof.scorer
            assert scorer is not None and scorer.kind == used.scorer[target]
            expected = scorer.probability(rows)
            assert list(mine.reason_1_code) == list(_heaviest(scorer, rows))
        assert mine.probability.astype(float).to_numpy() == pytest.approx(
            np.asarray(expected, float), abs=1e-6
        )
        assert (mine.is_in_danger.to_numpy(bool) == (rows.danger > 0).to_numpy()).all()
    assert used.scorer["churn"] in ("logistic", "boosting")


def _heaviest(scorer: Scorer, rows: pd.DataFrame) -> pd.Series:
    # Equal ones by name, as in SQL; the last digits of sums may differ.
    contributions = scorer.contributions(rows).abs().round(9)
    return contributions[sorted(contributions)].idxmax(axis=1)


def test_a_model_is_used_only_if_it_was_proven_to_beat_the_rule(institution: Institution) -> None:
    models = institution.read("select * from core.mart_risk_model").set_index("target")
    for target, fitted in institution.fits.items():
        is_used = models.scorer[target] != "rule"
        assert is_used <= fitted.proof.beats_rule
        if fitted.proof.beats_rule and not is_used:
            assert models.reason_code[target] == "inputs_drifted"
    assert institution.fits["churn"].proof.beats_rule


def test_outcomes_without_a_cause_are_refused(institution: Institution) -> None:
    """Dealt out anew among the rows of a day, outcomes have no cause: whatever is fitted to them is not used."""
    with institution.warehouse.connect(Role.TRANSFORMER) as connection:
        rules = read_rules(connection)
        days = samples.month_ends(AS_OF, int(rules["training_months"]))
        compiled = compiled_features(institution.warehouse, institution.build.build_id, days)
        target = samples.targets("order")[0]
        sample = samples.sample(connection, compiled, target, AS_OF, rules)
    shuffled = np.random.default_rng(0).permutation(sample.case)
    useless = samples.Sample(sample.values, shuffled, sample.danger, sample.customer, sample.split)
    assert prove(useless, int(rules["least_cases"]), rules["least_auc_gain"]).verdict == "does_not_beat_rule"
    # The true ones give the model that was kept.
    again = prove(sample, int(rules["least_cases"]), rules["least_auc_gain"])
    assert again == institution.fits["churn"].proof


def test_everybody_in_a_run_has_a_risk_and_every_reason_its_words(
    institution: Institution, churn: pd.DataFrame
) -> None:
    existing = institution.read(
        "select customer_id, campus_id from core.dim_customer where is_reportable and current_phase = 'existing'"
        " order by customer_id"
    )
    pd.testing.assert_frame_equal(churn[["customer_id", "campus_id"]], existing)
    assert churn.churn_probability.between(0, 1).all()
    assert (
        churn[["reason_1_en", "reason_2_en", "reason_3_en", "reason_1_zh", "reason_3_zh"]].notna().all().all()
    )
    assert not churn.reason_1_en.str.contains("{", regex=False).any()
    referrals = institution.read(
        "select customer_id, campus_id from core.mart_referral_potential order by customer_id"
    )
    pd.testing.assert_frame_equal(referrals, existing)


def test_renewals_are_due_soon_and_their_amounts_add_up(institution: Institution) -> None:
    renewals = institution.read("select * from core.mart_renewal")
    assert len(renewals) > 20
    assert (renewals.days_to_due <= 30).all()
    # A grace day is a day after the last one that was paid for.
    assert ((renewals.days_to_due < 0) == renewals.is_overdue).all()
    expected = (renewals.renewal_probability * renewals.usual_amount).astype(float)
    assert expected.to_numpy() == pytest.approx(renewals.expected_amount.astype(float).to_numpy(), abs=0.006)
    lapsing = institution.read(
        "select customer_id from core.fct_risk_signal join core.dim_customer using (customer_id)"
        " where signal_code = 'lapsing' and closed_on is null and is_reportable"
    )
    assert set(lapsing.customer_id) == set(renewals[renewals.is_overdue].customer_id)


#: What comes late on the day itself: somebody studied, and a teacher marks a lesson again.
LATE = (
    "create temp table chosen as select learner_id from public.learners order by md5(learner_id::text) limit 25",
    """
    insert into public.learning_sessions
        (session_id, learner_id, kind, activity_count, duration_minutes, started_at)
    select (select max(session_id) from public.learning_sessions) + row_number() over (order by learner_id),
        learner_id, 'video', 3, 25, %(day)s::date + interval '9 hours'
    from chosen
    """,
    """
    update public.attendance
    set outcome = case outcome when 'absent' then 'present' else 'absent' end, updated_at = %(day)s::date + interval '9 hours'
    where attendance_id in (
        select max(attendance_id) from public.attendance inner join chosen using (learner_id)
        where outcome in ('present', 'absent') group by learner_id
    )
    """,
)


def test_a_day_built_again_is_what_a_full_build_makes_of_it(institution: Institution) -> None:
    """Last of this file: it builds anew. Value and risk of customers who have not changed are kept, not reckoned."""
    warehouse = institution.warehouse
    before = institution.read("select * from core.customer_features").set_index("customer_id")
    with warehouse.connect(Role.SIMULATOR, "sim_teaching") as connection:
        for statement in LATE:
            connection.execute(statement.encode(), {"day": AS_OF})
        connection.commit()
    run_night(warehouse, AS_OF, ("teaching",))
    again = building.build(AS_OF, into=warehouse)
    assert (again.kind, again.status) == ("incremental", "published")
    assert again.changed_customers is not None
    assert 5 < again.changed_customers < 40
    after = institution.read("select * from core.customer_features").set_index("customer_id")
    assert len(before.compare(after.loc[before.index])) > 5
    incremental = snapshot(warehouse, "core")
    building.transform(building.begin(AS_OF, full=True, into=warehouse), warehouse)
    full = snapshot(warehouse, "core")
    assert {name for name in full if full[name] != incremental[name]} == set()
    assert len(full["mart_customer_value"]) > 500
    assert len(full["mart_churn_risk"]) > 100
