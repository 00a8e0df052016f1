"""Fitting the models of lifetime value to the published build, and keeping their parameters for later builds.

Reads `core` as it was built last (int_purchase_history, int_term) and writes `meta.model_parameter`; the build reads
it back and scores in SQL (mart_lifetime_value). Nothing here reads the clock: a fit is as of the publication's day.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import psycopg

from lifecourse.building import plan
from lifecourse.customer_base import bg_nbd, gamma_gamma, sbg
from lifecourse.errors import LifecourseError
from lifecourse.warehouse.connection import Role, Warehouse, warehouse
from lifecourse.warehouse.locks import LOCK_BUILD

log = logging.getLogger(__name__)

Connection = psycopg.Connection[tuple[Any, ...]]

DAYS_OF_A_WEEK = 7
#: Fewer payers have no maximum worth looking for. How many it takes to predict is a rule of the build.
LEAST_PAYERS = 50


class NotEnough(LifecourseError):
    """No model has enough payers."""


@dataclass(frozen=True)
class Fit:
    """A fitted model: its parameters with `payers`, `history_days` and `log_likelihood` among them."""

    model: str
    fitted_as_of: date
    parameters: Mapping[str, float]


def fit(into: Warehouse | None = None) -> list[Fit]:
    """Fit BG/NBD, Gamma-Gamma and sBG to the published build and keep them; models without enough payers are left out.

    Fitted again on the same day, a model replaces itself. Raises `LifecourseError` where nothing is published or
    core is ahead of what is published, `NotEnough` where no model has enough payers.
    """
    with (into or warehouse()).connect(Role.TRANSFORMER) as connection:
        published = published_core(connection)
        found = [
            *_repeat_purchase(connection, published.as_of),
            *_terms(connection, published.as_of),
        ]
        if not found:
            raise NotEnough(
                f"no model has {LEAST_PAYERS} payers to be fitted to",
                f"build {published.build_id}",
                "wait until there are more; predictions stay empty until then",
            )
        for each in found:
            _keep(connection, published.build_id, each)
            log.info("%s: %s", each.model, {name: round(value, 4) for name, value in each.parameters.items()})
        return found


def published_core(connection: Connection) -> plan.Published:
    """The publication whose tables stand in core, which no build writes until the transaction ends.

    Raises `LifecourseError` where nothing is published, or where core is ahead of what is published.
    """
    # A build may be writing core; what is fitted has to be one whole build.
    connection.execute("select pg_advisory_xact_lock_shared(%s)", (LOCK_BUILD,))
    published = plan.current(connection)
    if published is None:
        raise LifecourseError("nothing is published yet", "models fit", "build and publish a day first")
    last = connection.execute(
        "select build_id from meta.build where schema_name = %s order by started_at desc limit 1",
        (plan.CORE,),
    ).fetchone()
    if last != (published.build_id,):
        raise LifecourseError(
            "what stands in core is not what is published",
            f"build {last[0] if last else 'none'}",
            "let that build be published, or build again, then fit",
        )
    return published


def _repeat_purchase(connection: Connection, as_of: date) -> list[Fit]:
    rows = connection.execute(
        "select purchases, recency_of_last_days, age_days, net_amount from core.int_purchase_history"
        " where basis = 'repeat_purchase' order by customer_id"
    ).fetchall()
    if len(rows) < LEAST_PAYERS:
        return []
    purchases, recency, age, amount = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    history = {"payers": float(len(rows)), "history_days": float(age.max())}
    often = bg_nbd.fit(purchases - 1, recency / DAYS_OF_A_WEEK, age / DAYS_OF_A_WEEK)
    # Who got all the money back has no mean amount that a gamma could have.
    paid = amount > 0
    dear = gamma_gamma.fit(purchases[paid], amount[paid] / purchases[paid])
    return [
        Fit("bg_nbd", as_of, vars(often) | history),
        Fit("gamma_gamma", as_of, vars(dear) | history | {"payers": float(paid.sum())}),
    ]


def _terms(connection: Connection, as_of: date) -> list[Fit]:
    rows = connection.execute(
        "select term_no, count(*), count(renewed_on) from core.int_term where is_mature group by term_no order by term_no"
    ).fetchall()
    payers, days = connection.execute(
        "select count(distinct customer_id), coalesce(%s - min(granted_on), 0) from core.int_term where is_mature",
        (as_of,),
    ).fetchone() or (0, 0)
    if payers < LEAST_PAYERS:
        return []
    term, due, renewed = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    stay = sbg.fit(term, due, renewed)
    return [Fit("sbg", as_of, vars(stay) | {"payers": float(payers), "history_days": float(days)})]


def _keep(connection: Connection, build_id: str, fitted: Fit) -> None:
    connection.execute(
        "delete from meta.model_parameter where model = %s and fitted_as_of = %s",
        (fitted.model, fitted.fitted_as_of),
    )
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into meta.model_parameter (model, fitted_as_of, parameter, value, build_id)"
            " values (%s, %s, %s, %s, %s)",
            [
                (fitted.model, fitted.fitted_as_of, name, value, build_id)
                for name, value in fitted.parameters.items()
            ],
        )
