"""Experiments: one row per experiment on touchpoints, with two arms."""

from lifecourse.quality.rules import Suite, at_least, between, one_of, period, required, table_suite


def suite() -> Suite:
    """The row rules of `experiments`."""
    return table_suite(
        "experiments",
        required(
            "experiment_id",
            "name",
            "metric_code",
            "window_days",
            "planned_units",
            "treatment_share",
            "starts_on",
            "updated_at",
        ),
        one_of("metric_code", "responded", "trial_attended", "purchased"),
        at_least("negative_count", "window_days", "planned_units"),
        between("share_out_of_range", "treatment_share", 0.01, 0.99),
        period("starts_on", "ends_on"),
    )
