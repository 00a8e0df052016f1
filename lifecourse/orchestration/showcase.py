"""What a demo shows at its end: builds, rows, quarantine by rule, and three questions with their answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from psycopg import sql
from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table

from lifecourse.settings import settings
from lifecourse.warehouse.connection import Role, Warehouse


@dataclass(frozen=True)
class Question:
    """A question that marts answers, and the query that a reader would write."""

    text: str
    query: str


QUESTIONS: dict[str, tuple[Question, ...]] = {
    "simulated": (
        Question(
            "Where do customers stand now, and at how many campuses?",
            """
select stages.name_en as stage, sum(days.customers) as customers, count(distinct days.campus_id) as campuses
from marts.fct_stage_day as days
inner join marts.dim_lifecycle_stage as stages on stages.stage_code = days.stage_code
where days.day_on = (select max(as_of) from marts.publication) and days.customers > 0
group by stages.ordinal, stages.name_en
order by stages.ordinal
""",
        ),
        Question(
            "What moved on the last day, and why?",
            """
select from_code, to_code, reason_code, count(*) as customers
from marts.fct_lifecycle_transition
where transition_on = (select max(as_of) from marts.publication)
group by from_code, to_code, reason_code
order by customers desc, from_code, to_code, reason_code
limit 8
""",
        ),
        Question(
            "Which channels bring leads that buy?",
            """
select
    channels.name_en as channel, count(*) as leads, count(leads.purchased_on) as buyers,
    round(100.0 * count(leads.purchased_on) / count(*), 1) as percent
from marts.fct_lead as leads
left join marts.dim_channel as channels on channels.channel_code = leads.channel_code
where leads.is_reportable
group by channels.name_en
order by leads desc, channel
limit 8
""",
        ),
    ),
    "oulad": (
        Question(
            "How many students registered for each module?",
            """
select courses.course_name as module, count(*) as registrations
from marts.fct_enrolment as enrolments
inner join marts.dim_course as courses on courses.course_id = enrolments.course_id
group by courses.course_name
order by courses.course_name
""",
        ),
        Question(
            "How did they end?",
            """
select coalesce(result, status) as result, count(*) as registrations
from marts.fct_enrolment
group by coalesce(result, status)
order by registrations desc
""",
        ),
        Question(
            "How often did they click in the learning environment?",
            """
select extract(year from learning_on)::integer as year, count(*) as student_days, sum(activity_count) as clicks
from marts.fct_learning_day
group by 1
order by 1
""",
        ),
    ),
}


def show(console: Console, at: Warehouse, institution: str, nights: Sequence[date]) -> None:
    """Prints it all; numbers are read from the warehouse, none is written here."""
    console.print()
    console.print(_builds(at))
    console.print(_loads(at, nights))
    console.print(_marts(at))
    console.print(_quarantine(at))
    for number, question in enumerate(QUESTIONS[institution], 1):
        console.print(f"\n[bold]Try {number}[/] {question.text}")
        # Whole whatever the width: a query that is cut cannot be tried.
        query = Syntax(question.query.strip(), "sql", background_color="default").highlight(
            question.query.strip()
        )
        console.print(query, soft_wrap=True)
        console.print(_answer(at, question.query))
    if institution == "simulated":
        from lifecourse.identity.show import show as show_identity

        show_identity(console, at)


def _builds(at: Warehouse) -> Table:
    return _table(
        "What was built",
        at,
        Role.TRANSFORMER,
        """
        select
            b.as_of as day, b.kind, b.status, b.changed_customers as "customers computed",
            (select string_agg(stage || ' ' || round(seconds::numeric, 1) || ' s', ', ')
                from jsonb_each_text(b.stage_seconds) as s (stage, seconds)) as stages,
            (select count(*) filter (where success) || ' of ' || count(*)
                from meta.check_result as c where c.build_id = b.build_id) as "checks passed"
        from meta.build as b
        order by b.started_at
        """,
    )


def _loads(at: Warehouse, nights: Sequence[date]) -> Table:
    return _table(
        "What was loaded: every row read is in one of the next five columns",
        at,
        Role.LOADER,
        """
        select
            business_day as day, system, count(distinct source_table) as tables, sum(rows_read) as read,
            sum(rows_inserted) as inserted, sum(rows_updated) as updated, sum(rows_unchanged) as unchanged,
            sum(rows_quarantined) as quarantined,
            sum(rows_suppressed) as "of erased", sum(rows_deleted) as deleted, sum(rows_released) as released
        from meta.batch
        where status = 'merged'
        group by business_day, system
        order by business_day, system
        """,
    )


def _marts(at: Warehouse) -> Table:
    """Rows per table as published last, and how many rows the last publication had to write."""
    return _table(
        "What readers see: schema marts",
        at,
        Role.TRANSFORMER,
        """
        with last as (
            select rows, rows_written from meta.publication
            where rolled_back_at is null order by publication_id desc limit 1
        )
        select key as "table", value::bigint as rows, (last.rows_written -> key) as "rows written last night"
        from last, jsonb_each_text(last.rows)
        order by key
        """,
    )


def _quarantine(at: Warehouse) -> Table:
    with at.connect(Role.LOADER) as connection:
        tables = [
            row[0]
            for row in connection.execute(
                "select relname from pg_class where relnamespace = 'quarantine'::regnamespace and relkind = 'r' "
                "order by relname"
            ).fetchall()
        ]
    if not tables:
        return Table(title="In quarantine: nothing")
    every = sql.SQL(" union all ").join(
        sql.SQL("select {} as source, unnest(_rules) as rule, _status from quarantine.{}").format(
            sql.Literal(name.replace("__", ".", 1)), sql.Identifier(name)
        )
        for name in tables
    )
    return _table(
        "In quarantine, by rule",
        at,
        Role.LOADER,
        sql.SQL(
            "select source as \"table\", rule, count(*) filter (where _status = 'open') as open, "
            "count(*) filter (where _status <> 'open') as \"released or resolved\" "
            "from ({}) as held group by source, rule order by source, rule"
        ).format(every),
    )


def _answer(at: Warehouse, query: str) -> Table:
    return _table("", at, Role.BI_READER, query)


def say_where(console: Console, at: Warehouse) -> None:
    """How to ask this warehouse more."""
    # The password stays off the screen: what a terminal shows ends up in logs and pictures.
    console.print("Query     scripts/lifecourse warehouse psql --role bi_reader", soft_wrap=True)
    console.print(
        f"          or {at.masked_url(Role.BI_READER)} (`... warehouse url` prints it with the password)",
        soft_wrap=True,
    )
    console.print(
        "          any SQL client will do; this role sees the schema marts and nothing else",
        style="dim",
        soft_wrap=True,
    )
    docs = settings().home / "data_docs" / "index.html"
    if docs.exists():
        console.print(f"Data Docs {docs}", soft_wrap=True)


def _table(title: str, at: Warehouse, role: Role, query: str | sql.Composed) -> Table:
    with at.connect(role) as connection:
        cursor = connection.execute(query)
        columns = [column.name for column in cursor.description or ()]
        rows = cursor.fetchall()
    table = Table(title=title or None, title_justify="left", title_style="bold")
    for position, name in enumerate(columns):
        is_number = any(isinstance(row[position], int | Decimal) for row in rows)
        table.add_column(name, justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_text(value) for value in row))
    return table


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, Decimal):
        return f"{value:,}"
    if isinstance(value, dict):
        return ", ".join(f"{name} {_text(number)}" for name, number in value.items())
    return str(value)
