"""Campuses: one row per campus."""

from lifecourse.quality.rules import Suite, period, required, table_suite


def suite() -> Suite:
    """The row rules of `campuses`."""
    return table_suite(
        "campuses",
        required("campus_id", "name", "updated_at"),
        period("opened_on", "closed_on"),
    )
