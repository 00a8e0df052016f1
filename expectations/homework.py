"""Homework: one row per learner and piece of homework."""

from lifecourse.quality.rules import Suite, between, parent, required, table_suite


def suite() -> Suite:
    """The row rules of `homework`."""
    return table_suite(
        "homework",
        required("homework_id", "learner_id", "due_on", "updated_at"),
        between("score_out_of_range", "score", 0, 100),
        parent("learner_id", "learners"),
        parent("enrolment_id", "enrolments"),
        parent("lesson_id", "lessons"),
    )
