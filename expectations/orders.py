"""Orders: one row per order."""

from lifecourse.quality.rules import Suite, at_least, currency, one_of, required, table_suite


def suite() -> Suite:
    """The row rules of `orders`."""
    return table_suite(
        "orders",
        required(
            "order_id",
            "learner_id",
            "campus_id",
            "status",
            "list_amount",
            "discount_amount",
            "payable_amount",
            "currency",
            "placed_at",
            "updated_at",
        ),
        one_of("status", "placed", "paid", "partly_paid", "cancelled", "refunded"),
        at_least("negative_amount", "list_amount", "discount_amount", "payable_amount"),
        currency(),
    )
