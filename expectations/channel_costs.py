"""Channel costs: one row per day, channel, campus and campaign with spend."""

from lifecourse.quality.rules import Suite, currency, required, table_suite


def suite() -> Suite:
    """The row rules of `channel_costs`."""
    return table_suite(
        "channel_costs",
        required("channel_cost_id", "cost_on", "channel_code", "cost_amount", "updated_at"),
        # A negative cost is a credit of the channel, so the amount has no lower bound.
        currency(),
    )
