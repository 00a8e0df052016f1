"""Interventions: one row per action taken on a danger signal."""

from lifecourse.quality.rules import Suite, one_of, period, required, table_suite


def suite() -> Suite:
    """The row rules of `interventions`."""
    return table_suite(
        "interventions",
        required("intervention_id", "learner_id", "opened_at", "updated_at"),
        one_of("action", "call", "visit", "extra_lesson", "teacher_change", "discount", "talk"),
        one_of("result", "kept", "lost", "open"),
        period("opened_at", "closed_at"),
    )
