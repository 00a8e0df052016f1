"""Reconciliation of what a night has loaded, without a build of everything."""

from __future__ import annotations

from datetime import date

from lifecourse.building.dbt import Dbt, risk_signal_codes
from lifecourse.identity import resolve
from lifecourse.warehouse.connection import Role, Warehouse
from tests.pipeline.test_reconciliation import MODELS

#: (channel, key) -> status, day paid or billed. The key is our payment's or refund's; of a payment that only the bill
#: has, the channel's transaction number.
Found = dict[tuple[str, str], tuple[str, date]]


def reconciled(warehouse: Warehouse, day: date) -> Found:
    variables = {
        "as_of": day.isoformat(), "build_id": "unit", "build_kind": "full", "purchase_event": "order",
        "target_schema": "core", "risk_signals": risk_signal_codes(),
    }  # fmt: skip
    dbt = Dbt(warehouse)
    with warehouse.connect(Role.TRANSFORMER) as connection:
        resolve(connection, "unit", day, 0, full=True)
    outcomes = [
        *dbt.run("seed", ["reconciliation_rules"], variables),
        *dbt.run("run", MODELS, variables),
        *dbt.run("test", ["fct_payment_reconciliation"], variables),
    ]
    assert {each.name: each.message for each in outcomes if not each.is_good} == {}
    with warehouse.connect(Role.ADMIN) as connection:
        rows = connection.execute(
            """
            select
                found.channel,
                coalesce(
                    found.refund_id, found.payment_id,
                    case found.row_kind
                        when 'refund' then bill_rows.merchant_refund_id
                        else bill_rows.channel_transaction_id
                    end
                ),
                found.reconciliation_status,
                found.day_on
            from core.fct_payment_reconciliation as found
            left join canonical.settlement_bills as bill_rows on bill_rows.bill_row_id = found.bill_row_id
            """
        ).fetchall()
    known = {(channel, key): (status, on) for channel, key, status, on in rows}
    assert len(known) == len(rows)
    return known
