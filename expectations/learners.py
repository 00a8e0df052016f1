"""Learners: one row per learner in the teaching system."""

from lifecourse.quality.rules import Suite, one_of, parent, required, table_suite


def suite() -> Suite:
    """The row rules of `learners`."""
    return table_suite(
        "learners",
        required("learner_id", "campus_id", "registered_at", "updated_at"),
        one_of("gender", "f", "m"),
        one_of("status", "active", "left"),
        parent("campus_id", "campuses"),
    )
