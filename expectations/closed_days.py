"""Closed days: one row per day on which a campus, or all, are closed."""

from lifecourse.quality.rules import Suite, parent, required, table_suite


def suite() -> Suite:
    """The row rules of `closed_days`."""
    return table_suite(
        "closed_days",
        required("closed_day_id", "closed_on", "updated_at"),
        parent("campus_id", "campuses"),
    )
