"""Contracts: one row per signed contract."""

from lifecourse.quality.rules import Suite, one_of, parent, period, required, table_suite


def suite() -> Suite:
    """The row rules of `contracts`."""
    return table_suite(
        "contracts",
        required("contract_id", "status", "signed_at", "updated_at"),
        one_of("status", "signed", "cancelled"),
        period("signed_at", "cancelled_at"),
        parent("lead_id", "leads"),
        parent("contact_id", "contacts"),
    )
