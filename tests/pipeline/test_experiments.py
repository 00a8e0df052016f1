"""Planted effects by the production SQL: many experiments drawn as the simulator draws them, in one warehouse.

Only `mart_experiment` is built, upon tables written here: whether its interval holds what was planted does not hang on
how an assignment came into the warehouse.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
import pytest

from lifecourse.building.dbt import Dbt, risk_signal_codes
from lifecourse.settings import settings
from lifecourse.simulator.draw import generator
from lifecourse.simulator.experiments import PLANTED, Planted, successes
from lifecourse.warehouse.connection import Role, Warehouse

pytestmark = pytest.mark.slow

AS_OF = date(2026, 3, 1)
SEEDS = range(1, 21)
PER_ARM = 400


@dataclass(frozen=True)
class Found:
    difference: float
    low: float
    high: float
    verdict: str


@pytest.fixture(scope="module")
def found(
    module_warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory
) -> dict[tuple[str, int], Found]:
    """What the mart says of every kind of experiment and seed."""
    with module_warehouse.connect(Role.ADMIN) as connection:
        connection.execute("create schema if not exists core")
        connection.execute(
            """
            create table core.stg_experiments (
                experiment_id text, name text, metric_code text, window_days integer, planned_units integer,
                treatment_share numeric, starts_on date, ends_on date
            )
            """
        )
        connection.execute(
            """
            create table core.fct_experiment_assignment (
                experiment_assignment_id text, experiment_id text, person_id text, arm text, is_reportable boolean,
                assigned_at timestamptz, matures_on date, succeeded_on date
            )
            """
        )
        with connection.cursor().copy("copy core.fct_experiment_assignment from stdin") as copy:
            for what in ("an effect", "no effect", "a lost part of an arm"):
                for seed in SEEDS:
                    write(copy, f"{what}:{seed}", PLANTED[what], generator(seed, 0, what))
        connection.execute(
            """
            insert into core.stg_experiments
            select experiment_id, 'drawn', 'responded', 14, %s, 0.5, date '2025-10-01', null
            from core.fct_experiment_assignment
            group by experiment_id
            """,
            (PER_ARM,),
        )
        connection.execute("grant usage, create on schema core to lifecourse_transformer")
        connection.execute("grant select on all tables in schema core to lifecourse_transformer")
    dbt = Dbt(module_warehouse, work_dir=tmp_path_factory.mktemp("dbt"))
    outcomes = dbt.run("run", ["mart_experiment"], {
        "as_of": AS_OF.isoformat(), "build_id": "drawn", "build_kind": "full", "purchase_event": "order",
        "canonical_schema": "canonical", "target_schema": "core", "risk_signals": risk_signal_codes(),
        "institution_timezone": settings().timezone, "since_load_id": 0, "last_load_id": 0, "test_scope": "all",
    })  # fmt: skip
    assert [outcome.status for outcome in outcomes] == ["success"], outcomes
    with module_warehouse.connect(Role.ADMIN) as connection:
        rows = connection.execute(
            "select experiment_id, difference, difference_low, difference_high, verdict from core.mart_experiment"
        ).fetchall()
    return {
        (what, int(seed)): Found(float(difference), float(low), float(high), verdict)
        for experiment, difference, low, high, verdict in rows
        for what, seed in [experiment.split(":")]
    }


def write(copy, experiment: str, planted: Planted, rng: np.random.Generator) -> None:  # type: ignore[no-untyped-def]
    """Twice the planned persons, so that either arm reaches its size even where a part of one is lost."""
    persons = 4 * PER_ARM
    treated = rng.random(persons) < 0.5
    does = successes(rng, planted, treated)
    lost = treated & (rng.random(persons) < planted.lost)
    for number in np.flatnonzero(~lost):
        at = datetime(2025, 10, 1, 9) + timedelta(minutes=int(number))
        copy.write_row((
            f"{experiment}:{number}", experiment, f"P{number}", "treatment" if treated[number] else "control", True,
            f"{at.isoformat()}+08:00", at.date() + timedelta(days=14), at.date() if does[number] else None,
        ))  # fmt: skip


def test_the_planted_effect_lies_inside_its_interval_in_19_of_20_seeds(
    found: dict[tuple[str, int], Found],
) -> None:
    effect = PLANTED["an effect"].effect
    inside = [found["an effect", seed].low < effect < found["an effect", seed].high for seed in SEEDS]
    assert sum(inside) >= 19
    # The interval says something: it leaves out that there is no effect.
    assert all(found["an effect", seed].verdict == "treatment_better" for seed in SEEDS)


def test_a_null_effect_is_not_taken_for_one_in_19_of_20_seeds(found: dict[tuple[str, int], Found]) -> None:
    verdicts = [found["no effect", seed].verdict for seed in SEEDS]
    assert verdicts.count("no_difference_shown") >= 19
    # The interval of no effect does not hold the effect that was planted elsewhere.
    assert all(found["no effect", seed].high < PLANTED["an effect"].effect for seed in SEEDS)


def test_arms_that_lost_persons_are_refused_in_every_seed(found: dict[tuple[str, int], Found]) -> None:
    assert all(found["a lost part of an arm", seed].verdict == "arms_differ_from_the_draw" for seed in SEEDS)
    assert all(found["an effect", seed].verdict != "arms_differ_from_the_draw" for seed in SEEDS)
