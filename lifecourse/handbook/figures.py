"""The figures of docs/segments.md, asked of the marts of the demo and written between their marks.

`scripts/figures` runs it after `scripts/demo`. A mark is a line `<!-- figures: name -->`; what stands between it and the
next `<!-- end -->` is written anew.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from lifecourse.errors import LifecourseError
from lifecourse.settings import PROJECT
from lifecourse.warehouse.connection import Role, warehouse

PAGE = PROJECT / "docs" / "segments.md"

#: Name of the mark -> heading of every column, and the query. Numbers are put to the right.
FIGURES: Mapping[str, tuple[tuple[str, ...], str]] = {
    "types": (
        (
            "type",
            "",
            "month before",
            "first seen",
            "came in",
            "went out",
            "customers",
            "net paid in 12 months",
        ),
        """
        select summary.type_name_en, summary.type_name_zh, sum(summary.customers_month_before),
            sum(summary.first_seen_customers), sum(summary.came_in_customers), sum(summary.went_out_customers),
            sum(summary.customers), round(sum(summary.net_paid_12m_amount))
        from marts.mart_segment_summary as summary
        inner join marts.dim_customer_type as types using (type_code)
        group by types.ordinal, summary.type_name_en, summary.type_name_zh
        having sum(summary.customers) > 0 or sum(summary.customers_month_before) > 0
        order by types.ordinal
        """,
    ),
    "survival": (
        ("days after the first lesson", "still at risk then", "still there"),
        """
        select days_since, at_risk_customers, round(survival_rate::numeric, 3)
        from (
            select *, row_number() over (partition by mark order by days_since desc) as place
            from marts.mart_survival cross join (values (180), (365), (730)) as marks (mark)
            where cohort_kind = 'all' and days_since <= mark
        ) as latest
        where place = 1
        order by mark
        """,
    ),
    "funnel": (
        ("step", "enquired", "reached", "breaches"),
        """
        select step_code, sum(new_leads), sum(reached_leads), sum(breach_leads)
        from marts.mart_funnel
        where is_mature and step_code <> 'lead'
        group by step_no, step_code
        order by step_no
        """,
    ),
    "channels": (
        (
            "channel",
            "cost",
            "enquiries",
            "bought in 90 days",
            "new payers",
            "cost of a payer",
            "revenue of a payer so far",
        ),
        """
        select channel_code, round(sum(cost_amount)), sum(new_leads), sum(converted_leads), sum(new_payers),
            round(sum(cost_amount) / nullif(sum(new_payers) filter (where cost_amount is not null), 0)),
            round(sum(revenue_to_date_amount) / nullif(sum(new_payers), 0))
        from marts.mart_channel_roi
        group by channel_code
        order by sum(cost_amount) desc nulls last, channel_code
        """,
    ),
    "rfm": (
        ("segment", "", "customers", "days since", "purchases", "net paid"),
        """
        select rfm_segment, segment_name_zh, count(*), round(avg(recency_days)), round(avg(frequency_purchases), 1),
            round(sum(monetary_amount))
        from marts.mart_rfm
        group by rfm_segment, segment_name_zh
        order by avg(recency_score + frequency_score) desc, rfm_segment
        """,
    ),
    "lifetime": (
        ("prediction", "customers", "revenue so far", "direct cost so far", "expected in 12 months"),
        """
        select prediction_basis, count(*), round(sum(revenue_to_date_amount)), round(sum(direct_cost_to_date_amount)),
            round(sum(predicted_12m_amount))
        from marts.mart_lifetime_value
        group by prediction_basis
        order by prediction_basis
        """,
    ),
}


def write() -> list[str]:
    """Asks every figure as a reader of marts and writes it into the page; the names of the figures.

    Raises `LifecourseError` for a mark of the page that nobody answers, or a figure without a mark.
    """
    text = PAGE.read_text(encoding="utf-8")
    marks = re.findall(r"<!-- figures: (\w+) -->", text)
    if sorted(marks) != sorted(FIGURES):
        raise LifecourseError(
            f"the page has the marks {sorted(marks)}, the figures are {sorted(FIGURES)}",
            str(PAGE.relative_to(PROJECT)),
            "make them agree, in the page or in lifecourse/handbook/figures.py",
        )
    with warehouse().connect(Role.BI_READER) as connection:
        for name, (headings, query) in FIGURES.items():
            rows = connection.execute(query.encode()).fetchall()
            table = _table(headings, rows)
            text = re.sub(
                rf"(<!-- figures: {name} -->\n).*?(<!-- end -->)",
                lambda found, table=table: f"{found[1]}{table}\n{found[2]}",  # type: ignore[misc]
                text,
                flags=re.DOTALL,
            )
    PAGE.write_text(text, encoding="utf-8")
    return list(FIGURES)


def _table(headings: tuple[str, ...], rows: list[tuple[object, ...]]) -> str:
    is_number = [
        any(row[i] is not None and not isinstance(row[i], str) for row in rows) for i in range(len(headings))
    ]
    lines = [
        f"| {' | '.join(headings)} |",
        f"|{'|'.join('--:' if each else '---' for each in is_number)}|",
        *(f"| {' | '.join(_text(value) for value in row)} |" for row in rows),
    ]
    return "\n".join(lines)


def _text(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else f"{value:,}"


if __name__ == "__main__":
    print(f"{PAGE.relative_to(PROJECT)}: {', '.join(write())}")
