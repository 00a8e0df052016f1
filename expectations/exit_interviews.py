"""Exit interviews: one row per exit interview."""

from lifecourse.quality.rules import EXIT_REASONS, Suite, one_of, period, required, table_suite


def suite() -> Suite:
    """The row rules of `exit_interviews`."""
    return table_suite(
        "exit_interviews",
        required("exit_interview_id", "learner_id", "reason_code", "interviewed_at", "updated_at"),
        one_of("reason_code", *EXIT_REASONS),
        period("interviewed_at", "answered_at"),
    )
