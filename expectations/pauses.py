"""Pauses: one row per approved suspension of study."""

from lifecourse.quality.rules import Suite, one_of, parent, period, required, table_suite


def suite() -> Suite:
    """The row rules of `pauses`."""
    return table_suite(
        "pauses",
        required("pause_id", "learner_id", "from_on", "updated_at"),
        one_of("reason", "exam", "illness", "travel", "school", "other"),
        period("from_on", "to_on"),
        parent("learner_id", "learners"),
    )
