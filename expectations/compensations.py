"""Compensations: one row per compensation granted to a customer."""

from lifecourse.quality.rules import Suite, at_least, currency, one_of, required, table_suite


def suite() -> Suite:
    """The row rules of `compensations`."""
    return table_suite(
        "compensations",
        required("compensation_id", "learner_id", "kind", "granted_at", "updated_at"),
        one_of("kind", "lessons", "cash", "voucher"),
        at_least("negative_amount", "amount"),
        at_least("negative_hours", "hours"),
        currency(),
    )
