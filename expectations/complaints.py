"""Complaints: one row per complaint."""

from lifecourse.quality.rules import Suite, at_least, one_of, parent, period, required, table_suite


def suite() -> Suite:
    """The row rules of `complaints`."""
    return table_suite(
        "complaints",
        required("complaint_id", "learner_id", "opened_at", "updated_at"),
        one_of("category", "teaching", "service", "price", "facility", "schedule", "other"),
        one_of("severity", "low", "medium", "high"),
        at_least("negative_amount", "resolution_cost_amount"),
        period("opened_at", "closed_at"),
        parent("contact_id", "contacts"),
    )
