"""dbt's own unit tests, on empty relations of the right types."""

from __future__ import annotations

from datetime import date

import pytest

from lifecourse.building.dbt import Dbt, risk_signal_codes
from lifecourse.warehouse.connection import Warehouse
from tests.pipeline.canonical import Canonical

pytestmark = pytest.mark.slow


def test_every_unit_test_passes(warehouse: Warehouse) -> None:
    Canonical(warehouse)
    dbt = Dbt(warehouse)
    variables = {
        "as_of": date(2026, 3, 1).isoformat(),
        "build_id": "unit",
        "build_kind": "full",
        "purchase_event": "order",
        "target_schema": "core",
        "canonical_schema": "canonical",
        "risk_signals": risk_signal_codes(),
    }
    for command in ("seed", "run"):
        assert all(each.is_good for each in dbt.run(command, ["*"], variables))
    outcomes = dbt.run("test", ["test_type:unit"], variables)
    assert len(outcomes) > 20
    assert {each.name: each.message for each in outcomes if not each.is_good} == {}
