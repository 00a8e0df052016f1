"""Order lines: one row per line of an order, i.e. per right to learn."""

from lifecourse.quality.rules import Suite, at_least, one_of, parent, period, required, table_suite


def suite() -> Suite:
    """The row rules of `order_lines`."""
    return table_suite(
        "order_lines",
        required(
            "order_line_id",
            "order_id",
            "product_line",
            "kind",
            "delivery",
            "is_gift",
            "list_amount",
            "net_amount",
            "updated_at",
        ),
        one_of("kind", "period", "package"),
        one_of("delivery", "scheduled", "self_paced"),
        at_least("negative_hours", "paid_hours", "gift_hours"),
        at_least("negative_amount", "list_amount", "net_amount"),
        period("starts_on", "ends_on"),
        parent("order_id", "orders"),
    )
