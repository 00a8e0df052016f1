"""Surveys: one row per survey response."""

from lifecourse.quality.rules import Suite, condition, one_of, parent, required, table_suite


def suite() -> Suite:
    """The row rules of `surveys`."""
    return table_suite(
        "surveys",
        required("survey_id", "learner_id", "kind", "score", "responded_at", "updated_at"),
        one_of("kind", "nps", "csat", "first_lesson"),
        condition(
            "score_out_of_range",
            "case kind when 'nps' then score between 0 and 10 else score between 1 and 5 end",
            "score",
            "kind",
        ),
        parent("learner_id", "learners"),
    )
