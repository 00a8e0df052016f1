"""Handovers: one row per handover of a learner from sales to teaching."""

from lifecourse.quality.rules import Suite, required, table_suite


def suite() -> Suite:
    """The row rules of `handovers`."""
    return table_suite(
        "handovers",
        required("handover_id", "learner_id", "handed_over_at", "updated_at"),
    )
