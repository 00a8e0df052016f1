"""Assessment topics: one row per test taken and topic in it."""

from lifecourse.quality.rules import Suite, between, condition, parent, required, table_suite


def suite() -> Suite:
    """The row rules of `assessment_topics`."""
    return table_suite(
        "assessment_topics",
        required(
            "assessment_topic_id", "assessment_result_id", "learner_id", "topic", "max_score", "updated_at"
        ),
        between("score_out_of_range", "score", 0, None),
        condition("score_out_of_range", "score <= max_score", "score", "max_score"),
        parent("assessment_result_id", "assessments"),
        parent("learner_id", "learners"),
    )
