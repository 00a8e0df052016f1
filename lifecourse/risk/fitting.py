"""Fitting the models of risk to the published build, and keeping them for later builds.

Reads `core` as it was built last and writes `meta.risk_model` and `meta.risk_model_band`; the build reads them back and
scores in SQL (int_risk_score). Nothing here reads the clock: a fit is as of the publication's day.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import psycopg

from lifecourse.building import plan
from lifecourse.building.run import compiled_for
from lifecourse.customer_base.fitting import published_core
from lifecourse.risk import samples
from lifecourse.risk.proving import Proof, prove
from lifecourse.sources.spec import load_systems
from lifecourse.warehouse.connection import Role, Warehouse, warehouse

log = logging.getLogger(__name__)

Connection = psycopg.Connection[tuple[Any, ...]]
FEATURES = ("customer_features", "enrolment_features")


@dataclass(frozen=True)
class RiskFit:
    """What came of a target, as of a day."""

    target: str
    fitted_as_of: date
    proof: Proof


def fit(into: Warehouse | None = None) -> list[RiskFit]:
    """Fit and prove a model of churn, renewal and failing on the published build, and keep what came of each.

    Also where a model does not beat the rule, or there are too few cases, the verdict is kept, so that the build can say
    why the rule stands. Fitted again on the same day, a model replaces itself. Raises `LifecourseError` where nothing is
    published or core is ahead of what is published.
    """
    target = into or warehouse()
    with target.connect(Role.TRANSFORMER) as connection:
        published = published_core(connection)
        rules = read_rules(connection)
        days = samples.month_ends(published.as_of, int(rules["training_months"]))
        compiled = compiled_features(target, published.build_id, days)
        found = []
        for each in samples.targets(plan.purchase_event(load_systems())):
            sample = samples.sample(connection, compiled, each, published.as_of, rules)
            proof = prove(sample, int(rules["least_cases"]), rules["least_auc_gain"])
            found.append(RiskFit(each.name, published.as_of, proof))
            _keep(connection, published.build_id, found[-1])
            log.info("%s: %s", each.name, proof.verdict)
        return found


def compiled_features(target: Warehouse, build_id: str, days: list[date]) -> Mapping[str, str]:
    """The SQL of the features tables of a build, for those days."""
    return compiled_for(build_id, FEATURES, {"feature_days": [day.isoformat() for day in days]}, into=target)


def read_rules(connection: Connection) -> dict[str, float]:
    """The seed risk_rules as the build loaded it."""
    return {
        name: float(value) for name, value in connection.execute("select rule, value from core.risk_rules")
    }


def _keep(connection: Connection, build_id: str, fitted: RiskFit) -> None:
    proof, scorer = fitted.proof, fitted.proof.scorer
    key = (fitted.target, fitted.fitted_as_of)
    connection.execute("delete from meta.risk_model where target = %s and fitted_as_of = %s", key)
    connection.execute(
        """
        insert into meta.risk_model
            (target, fitted_as_of, scorer, verdict, intercept, calibration_slope, calibration_offset, base_rate,
             rule_rate_on, rule_rate_off, measures, build_id)
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
        """,
        (
            *key,
            scorer.kind if scorer else "rule",
            proof.verdict,
            scorer.intercept if scorer else None,
            scorer.calibration_slope if scorer else None,
            scorer.calibration_offset if scorer else None,
            proof.base_rate,
            proof.rule_rate_on,
            proof.rule_rate_off,
            json.dumps(dict(proof.measures)),
            build_id,
        ),
    )
    rows = [
        (*key, "score", b.feature, b.band_no, b.is_missing, b.above, b.up_to, b.base, b.slope, None, None)
        for b in (scorer.bands if scorer else ())
    ] + [
        (
            *key,
            "drift",
            b.feature,
            b.band_no,
            b.is_missing,
            b.above,
            b.up_to,
            None,
            None,
            b.share,
            b.weight_share,
        )
        for b in proof.drift
    ]
    with connection.cursor() as cursor:
        cursor.executemany(
            """
            insert into meta.risk_model_band
                (target, fitted_as_of, purpose, feature, band_no, is_missing, above, up_to, base, slope, share,
                 weight_share)
            values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
            """,
            rows,
        )
