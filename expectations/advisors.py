"""Advisors: one row per sales advisor."""

from lifecourse.quality.rules import Suite, period, required, table_suite


def suite() -> Suite:
    """The row rules of `advisors`."""
    return table_suite(
        "advisors",
        required("advisor_id", "updated_at"),
        period("hired_on", "left_on"),
    )
