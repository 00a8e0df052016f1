"""Campaigns: one row per marketing campaign."""

from lifecourse.quality.rules import Suite, at_least, currency, period, required, table_suite


def suite() -> Suite:
    """The row rules of `campaigns`."""
    return table_suite(
        "campaigns",
        required("campaign_id", "channel_code", "updated_at"),
        period("starts_on", "ends_on"),
        at_least("negative_amount", "budget_amount"),
        currency(),
    )
