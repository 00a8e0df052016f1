"""Instalments: one row per instalment agreed."""

from lifecourse.quality.rules import Suite, at_least, currency, one_of, parent, required, table_suite


def suite() -> Suite:
    """The row rules of `instalments`."""
    return table_suite(
        "instalments",
        required(
            "instalment_id",
            "order_id",
            "instalment_no",
            "due_on",
            "amount",
            "currency",
            "status",
            "updated_at",
        ),
        one_of("status", "due", "paid", "overdue", "cancelled"),
        at_least("negative_amount", "amount"),
        at_least("negative_count", "instalment_no", minimum=1),
        currency(),
        parent("order_id", "orders"),
    )
