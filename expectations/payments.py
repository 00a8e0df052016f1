"""Payments: one row per payment, successful or not."""

from lifecourse.quality.rules import Suite, at_least, currency, one_of, parent, required, table_suite


def suite() -> Suite:
    """The row rules of `payments`."""
    return table_suite(
        "payments",
        required("payment_id", "order_id", "method", "status", "amount", "currency", "paid_at", "updated_at"),
        one_of("method", "wechat", "alipay", "card", "cash", "bank"),
        one_of("status", "succeeded", "failed", "pending"),
        at_least("negative_amount", "amount", "fee_amount"),
        currency(),
        parent("order_id", "orders"),
        parent("instalment_id", "instalments"),
    )
