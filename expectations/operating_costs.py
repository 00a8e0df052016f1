"""Operating costs: one row per month, campus and kind of operating cost."""

from lifecourse.quality.rules import Suite, currency, one_of, required, table_suite


def suite() -> Suite:
    """The row rules of `operating_costs`."""
    return table_suite(
        "operating_costs",
        required("operating_cost_id", "month_on", "kind", "amount", "currency", "updated_at"),
        one_of("kind", "rent", "teaching", "sales", "service", "materials", "other"),
        # A negative cost is a correction of an earlier month, so the amount has no lower bound.
        currency(),
    )
