"""Trials: one row per trial lesson booked."""

from lifecourse.quality.rules import Suite, one_of, parent, required, table_suite


def suite() -> Suite:
    """The row rules of `trials`."""
    return table_suite(
        "trials",
        required("trial_id", "lead_id", "booked_at", "scheduled_at", "status", "updated_at"),
        one_of("status", "booked", "attended", "no_show", "cancelled"),
        parent("lead_id", "leads"),
    )
