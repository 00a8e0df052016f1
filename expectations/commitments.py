"""Commitments: one row per promise made to a family."""

from lifecourse.quality.rules import Suite, one_of, parent, period, required, table_suite


def suite() -> Suite:
    """The row rules of `commitments`."""
    return table_suite(
        "commitments",
        required("commitment_id", "learner_id", "due_on", "made_at", "updated_at"),
        one_of("kind", "call_back", "material", "timetable", "feedback", "refund", "other"),
        period("made_at", "kept_at"),
        parent("contact_id", "contacts"),
    )
