"""Experiment assignments: one row per person and experiment, with the arm drawn."""

from lifecourse.quality.rules import Suite, one_of, parent, period, required, table_suite


def suite() -> Suite:
    """The row rules of `experiment_assignments`."""
    return table_suite(
        "experiment_assignments",
        required("experiment_assignment_id", "experiment_id", "arm", "assigned_at", "updated_at"),
        one_of("arm", "control", "treatment"),
        period("assigned_at", "responded_at"),
        parent("experiment_id", "experiments"),
        parent("lead_id", "leads"),
    )
