"""Features at past days with what became of the customers afterwards, from the tables of the published build.

Features come from the SQL of `customer_features` and `enrolment_features` itself, compiled for past days. What became of
them is read from facts after the day, and only for days whose horizon is over by the day of the build.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pandas as pd
import psycopg

from lifecourse.risk.proving import Sample, split_by_time

Connection = psycopg.Connection[tuple[Any, ...]]
KEYS = ("customer_id", "enrolment_id", "campus_id", "base_stage", "course_id", "class_id")


@dataclass(frozen=True)
class Target:
    """What is predicted. `outcome` is SQL over `features` of a day: true, false, or null where the row does not count."""

    name: str
    relation: str
    key: str
    #: Rules of the seed whose sum is how many days after a day what became of it is known.
    horizon: tuple[str, ...]
    outcome: str


PURCHASES = {
    "order": "select customer_id, purchased_on as on_day from core.fct_order where purchased_on is not null",
    "enrolment": "select customer_id, enrolled_on as on_day from core.fct_enrolment",
}
#: A result is entered some days after the end.
RESULT_DAYS = 14


def targets(purchase_event: str) -> tuple[Target, ...]:
    """The three targets, where an order or an enrolment is the purchase."""
    return (
        Target(
            "churn", "customer_features", "customer_id", ("churn_horizon_days",),
            """
            exists (
                select 1 from core.fct_lifecycle_transition as left_run
                where left_run.customer_id = features.customer_id and left_run.layer = 'base'
                    and left_run.to_code = 'terminated' and left_run.transition_on > features.day_on
                    and left_run.transition_on <= features.day_on + %(churn_horizon_days)s
            )
            """,
        ),
        Target(
            "renewal", "customer_features", "customer_id", ("renewal_horizon_days",),
            f"""
            case when features.days_to_due <= %(renewal_due_days)s then exists (
                select 1 from ({PURCHASES[purchase_event]}) as bought
                where bought.customer_id = features.customer_id and bought.on_day > features.day_on
                    and bought.on_day <= features.day_on + %(renewal_horizon_days)s
            ) end
            """,
        ),
        Target(
            "pass", "enrolment_features", "enrolment_id", ("pass_horizon_days", "result_days"),
            """
            (
                select case when ended.result in ('pass', 'distinction', 'fail') then ended.result = 'fail' end
                from core.fct_enrolment as ended where ended.enrolment_id = features.enrolment_id
            )
            """,
        ),
    )  # fmt: skip


def month_ends(as_of: date, months: int) -> list[date]:
    """The last days of that many months before the month of a day, the earliest first."""
    found, day = [], as_of.replace(day=1)
    for _ in range(months):
        day -= timedelta(days=1)
        found.append(day)
        day = day.replace(day=1)
    return found[::-1]


def features(connection: Connection, compiled: Mapping[str, str], relation: str) -> pd.DataFrame:
    """The features of a relation at the days it was compiled for, sorted by day and key; numbers are floats."""
    key = "enrolment_id" if relation == "enrolment_features" else "customer_id"
    return _frame(connection, f"select * from ({query(compiled, relation)}) as f order by day_on, {key}")


def query(compiled: Mapping[str, str], relation: str) -> str:
    """The SQL of a relation for the days it was compiled for: enrolments upon customers of the same days."""
    if relation == "customer_features":
        return compiled[relation]
    return (
        "with past_customer_features as (" + compiled["customer_features"] + ") select * from ("
        + re.sub(r'("[^"]+"\.)*"customer_features"', "past_customer_features", compiled[relation])
        + ") as past"
    )  # fmt: skip


def sample(
    connection: Connection,
    compiled: Mapping[str, str],
    target: Target,
    as_of: date,
    rules: Mapping[str, float],
) -> Sample:
    """Rows of a target at the days compiled for that are old enough, split by time."""
    numbers = {name: int(value) for name, value in rules.items()} | {"result_days": RESULT_DAYS}
    horizon = sum(numbers[name] for name in target.horizon)
    rows = _frame(
        connection,
        f"""
        select features.*, {target.outcome} as outcome
        from ({query(compiled, target.relation).replace("%", "%%")}) as features
        where features.day_on <= %(last_day)s
        order by features.day_on, features.{target.key}
        """,
        numbers | {"last_day": as_of - timedelta(days=horizon)},
    )
    rows = rows[rows.outcome.notna()].reset_index(drop=True)
    days = pd.to_datetime(rows.day_on).map(pd.Timestamp.toordinal).to_numpy("int64")
    return Sample(
        values=rows[[name for name in rows if is_feature(rows, name)]].astype(float),
        case=rows.outcome.astype(bool).to_numpy(),
        danger=(rows.danger > 0).to_numpy(),
        customer=pd.factorize(rows.customer_id, sort=True)[0].astype("int64"),
        split=split_by_time(days, horizon),
    )


def is_feature(rows: pd.DataFrame, name: str) -> bool:
    """Whether a column of a features table goes into a model."""
    return name not in (*KEYS, "outcome") and not name.endswith("_on")


def _frame(connection: Connection, sql: str, values: Mapping[str, Any] | None = None) -> pd.DataFrame:
    # Whole tables are joined, as in a full build: the planner takes a list of days for one row, and would loop.
    connection.execute("set local enable_nestloop = off")
    with connection.cursor() as cursor:
        cursor.execute(sql.encode(), values)
        assert cursor.description is not None
        names: Sequence[str] = [column.name for column in cursor.description]
        return pd.DataFrame(cursor.fetchall(), columns=list(names))
