"""Learning sessions: one row per session in the learning app or site."""

from lifecourse.quality.rules import Suite, at_least, one_of, parent, required, table_suite


def suite() -> Suite:
    """The row rules of `learning_sessions`."""
    return table_suite(
        "learning_sessions",
        required("session_id", "learner_id", "activity_count", "started_at"),
        one_of("kind", "video", "exercise", "reading", "forum", "login"),
        at_least("negative_count", "activity_count"),
        at_least("negative_hours", "duration_minutes"),
        parent("learner_id", "learners"),
        parent("enrolment_id", "enrolments"),
    )
