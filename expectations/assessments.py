"""Assessments: one row per learner and test taken."""

from lifecourse.quality.rules import Suite, between, condition, one_of, parent, required, table_suite


def suite() -> Suite:
    """The row rules of `assessments`."""
    return table_suite(
        "assessments",
        required("assessment_result_id", "learner_id", "kind", "taken_on", "updated_at"),
        one_of("kind", "placement", "unit", "midterm", "final", "mock"),
        between("score_out_of_range", "score", 0, None),
        condition("score_out_of_range", "score <= max_score", "score", "max_score"),
        parent("learner_id", "learners"),
        parent("enrolment_id", "enrolments"),
    )
