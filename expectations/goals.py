"""Goals: one row per learning goal of a learner."""

from lifecourse.quality.rules import Suite, between, parent, period, required, table_suite


def suite() -> Suite:
    """The row rules of `goals`."""
    return table_suite(
        "goals",
        required("goal_id", "learner_id", "expected_score", "set_on", "updated_at"),
        between("score_out_of_range", "baseline_score", 0, None),
        between("score_out_of_range", "expected_score", 0, None),
        between("score_out_of_range", "actual_score", 0, None),
        period("set_on", "due_on"),
        period("set_on", "measured_on"),
        parent("learner_id", "learners"),
        parent("enrolment_id", "enrolments"),
    )
