"""Settlement bills: one row per row of a payment channel's own bill."""

from lifecourse.quality.rules import Suite, condition, currency, one_of, required, table_suite


def suite() -> Suite:
    """The row rules of `settlement_bills`."""
    return table_suite(
        "settlement_bills",
        required(
            "bill_row_id",
            "channel",
            "bill_on",
            "row_kind",
            "channel_transaction_id",
            "amount",
            "currency",
            "occurred_at",
            "bill_file",
            "bill_row_number",
        ),
        one_of("channel", "wechat", "alipay", "stripe"),
        one_of("row_kind", "payment", "refund"),
        # No parent: a bill row without an order is what reconciliation is there to find.
        condition(
            "negative_amount",
            "case row_kind when 'payment' then amount >= 0 when 'refund' then amount <= 0 end",
            "amount",
            "row_kind",
        ),
        currency(),
    )
