"""Traits of learners: one row per trait that somebody noted."""

from lifecourse.quality.rules import Suite, one_of, parent, period, required, short_code, table_suite


def suite() -> Suite:
    """The row rules of `learner_traits`."""
    return table_suite(
        "learner_traits",
        required("trait_id", "learner_id", "kind", "code", "noted_at", "updated_at"),
        one_of("kind", "personality", "interest", "taboo", "learning_preference"),
        short_code("code"),
        one_of("noted_by", "teacher", "advisor", "service", "guardian", "learner"),
        period("noted_at", "withdrawn_at"),
        parent("learner_id", "learners"),
    )
