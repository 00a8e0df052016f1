"""Books given as CSV through the production money models: what `lifecourse books` does.

The files are fed in where the loader would leave them, as canonical tables, so that staging, facts and money models all
run as in a build. Files and columns: docs/money.md. The models run in a database of their own, dropped afterwards.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from lifecourse import contract
from lifecourse.building.dbt import Dbt, risk_signal_codes
from lifecourse.feeding import (
    AMOUNT,
    BOOLEAN,
    DAY,
    INSTANT,
    NUMBER,
    Column,
    Connection,
    as_of_day,
    at_value,
    check_folder,
    copy_file,
    must_succeed,
    one,
    scratch,
    write_csv,
)
from lifecourse.identity import register_only
from lifecourse.settings import settings
from lifecourse.warehouse.connection import Role, Warehouse, warehouse

SCHEMA = "books"

CUSTOMER = Column("customer_id", required=True)
CURRENCY = Column("currency", required=True)

#: Rules that are a share, and the one that is a word.
SHARES = ("absence_consumes", "leave_consumes", "late_consumes")
CLAUSE = "refund_clause"

FILES: dict[str, tuple[Column, ...]] = {
    "orders": (
        Column("order_id", required=True),
        CUSTOMER,
        Column("campus_id", required=True),
        CURRENCY,
        Column("payable_amount", AMOUNT, required=True),
        Column("placed_at", INSTANT, required=True),
    ),
    "order_lines": (
        Column("order_line_id", required=True),
        Column("order_id", required=True),
        Column("course_id"),
        Column("product_line", required=True),
        Column("kind", required=True, choices=("period", "package")),
        Column("paid_hours", AMOUNT),
        Column("gift_hours", AMOUNT),
        Column("list_amount", AMOUNT),
        Column("net_amount", AMOUNT, required=True),
        Column("granted_on", DAY),
        Column("starts_on", DAY),
        Column("ends_on", DAY),
    ),
    "payments": (
        Column("payment_id", required=True),
        Column("order_id", required=True),
        Column("status", required=True, choices=("succeeded", "failed", "pending")),
        Column("amount", AMOUNT, required=True),
        CURRENCY,
        Column("paid_at", INSTANT, required=True),
    ),
    "refunds": (
        Column("refund_id", required=True),
        Column("order_id", required=True),
        Column("order_line_id"),
        Column("amount", AMOUNT, required=True),
        CURRENCY,
        Column("is_whole_line", BOOLEAN, required=True),
        Column("resolution", choices=("paid", "rejected", "withdrawn")),
        Column("requested_at", INSTANT, required=True),
        Column("resolved_at", INSTANT),
    ),
    "courses": (Column("course_id", required=True), Column("product_line", required=True)),
    "lessons": (
        Column("attendance_id", required=True),
        CUSTOMER,
        Column("campus_id", required=True),
        Column("course_id"),
        Column("order_line_id"),
        Column("lesson_at", INSTANT, required=True),
        Column("lesson_hours", AMOUNT, required=True),
        Column("hours", AMOUNT, required=True),
        Column(
            "outcome",
            required=True,
            choices=("attended", "late", "left_early", "made_up", "absent", "leave"),
        ),
    ),
    "rules": (
        Column("campus_id"),
        Column("rule", required=True, choices=(*SHARES, CLAUSE)),
        Column("value", NUMBER),
        Column("choice", choices=("pro_rata", "list_price")),
    ),
}
#: Keys that come once, and what each file refers to: column, file and column there.
KEYS = {
    "orders": "order_id",
    "order_lines": "order_line_id",
    "payments": "payment_id",
    "refunds": "refund_id",
    "courses": "course_id",
    "lessons": "attendance_id",
}
PARENTS = (
    ("order_lines", "order_id", "orders", "order_id"),
    ("payments", "order_id", "orders", "order_id"),
    ("refunds", "order_id", "orders", "order_id"),
)

#: The canonical tables that the models read, filled from the files. One lesson and one enrolment per outcome.
CANONICAL = {
    "orders": """
        insert into canonical.orders
            (order_id, learner_id, campus_id, currency, status, list_amount, discount_amount, payable_amount, placed_at,
             updated_at, _load_id)
        select order_id, customer_id, campus_id, currency, 'placed', payable_amount, 0, payable_amount, placed_at,
            placed_at, 1
        from books.orders
    """,
    "order_lines": """
        insert into canonical.order_lines
            (order_line_id, order_id, course_id, product_line, kind, delivery, is_gift, paid_hours, gift_hours,
             list_amount, net_amount, granted_on, starts_on, ends_on, updated_at, _load_id)
        select order_line_id, order_id, course_id, product_line, kind, 'scheduled', net_amount = 0, paid_hours,
            gift_hours, coalesce(list_amount, net_amount), net_amount, granted_on, starts_on, ends_on, 'epoch', 1
        from books.order_lines
    """,
    "payments": """
        insert into canonical.payments
            (payment_id, order_id, method, status, amount, currency, paid_at, updated_at, _load_id)
        select payment_id, order_id, 'bank', status, amount, currency, paid_at, paid_at, 1
        from books.payments
    """,
    "refunds": """
        insert into canonical.refunds
            (refund_id, order_id, order_line_id, payment_id, amount, currency, is_whole_line, resolution, requested_at,
             resolved_at, updated_at, _load_id)
        select refund_id, order_id, order_line_id, '', amount, currency, is_whole_line, resolution, requested_at,
            resolved_at, requested_at, 1
        from books.refunds
    """,
    "courses": """
        insert into canonical.courses (course_id, name, product_line, delivery, updated_at, _load_id)
        select course_id, course_id, product_line, 'scheduled', 'epoch', 1 from books.courses
    """,
    "enrolments": """
        insert into canonical.enrolments
            (enrolment_id, learner_id, course_id, campus_id, order_line_id, delivery, status, enrolled_on, updated_at,
             _load_id)
        select attendance_id, customer_id, course_id, campus_id, order_line_id, 'scheduled', 'active', date '1970-01-01',
            lesson_at, 1
        from books.lessons
    """,
    "lessons": """
        insert into canonical.lessons
            (lesson_id, class_id, campus_id, starts_at, hours, status, updated_at, _load_id)
        select attendance_id, '', campus_id, lesson_at, lesson_hours, 'held', lesson_at, 1 from books.lessons
    """,
    "attendance": """
        insert into canonical.attendance
            (attendance_id, lesson_id, learner_id, enrolment_id, outcome, hours, marked_at, updated_at, _load_id)
        select attendance_id, attendance_id, customer_id, attendance_id, outcome, hours, lesson_at, lesson_at, 1
        from books.lessons
    """,
    "learners": "",
    "leads": "",
}
MODELS = [
    *(f"stg_{name}" for name in CANONICAL),
    *("customer_registry", "int_lead", "changed_customer", "int_customer_scope"),
    *("fct_order", "fct_order_line", "fct_payment", "fct_refund", "fct_enrolment", "fct_attendance"),
    "path:models/core/money",
]
#: Models of the folder that read other tables.
LEFT_OUT = ("fct_payment_reconciliation",)

#: What is written: the query of each file. Sorted byte by byte, whatever the server's collation.
RESULTS = {
    "lots": """
        select lots.lot_id, registry.learner_id as customer_id, lots.campus_id, lots.product_line, lots.currency,
            lots.kind, lots.settled_on, lots.expired_on, lots.billed_amount, lots.refunded_amount, lots.value_amount
        from core.fct_lot as lots
        inner join core.customer_registry as registry on registry.customer_id = lots.customer_id
        order by lots.lot_id collate "C"
    """,
    "consumption": """
        select attendance_id, lot_id, coverage, hours, revenue_amount, currency, lesson_on
        from core.fct_lesson_consumption
        order by attendance_id collate "C", lot_id collate "C" nulls last
    """,
    "movements": """
        select lot_id, day_on, kind, measure, amount
        from core.fct_revenue_movement
        order by lot_id collate "C", day_on, kind collate "C"
    """,
    "deferred_days": """
        select day_on, campus_id, product_line, currency, opening, billings, refunds, recognised, expired, closing
        from core.fct_deferred_revenue_day
        order by campus_id collate "C", product_line collate "C", currency collate "C", day_on
    """,
}


def books(
    events: Annotated[Path, typer.Option(help="Folder with orders.csv, payments.csv and the other files")],
    as_of: Annotated[
        date,
        typer.Option(help="Last day to look at, e.g. 2026-03-01", parser=as_of_day, metavar="DAY"),
    ],
    out: Annotated[
        Path, typer.Option(help="Folder for lots.csv, consumption.csv, movements.csv and deferred_days.csv")
    ],
) -> None:
    """Run the money models on books given as CSV, and write lots, lesson consumption and deferred revenue by day.

    The files and their columns are described in docs/money.md. The models run in a database of their own on the
    warehouse's server, which is dropped afterwards; the warehouse itself is left alone.

    Raises HistoryError for a file that does not hold what it should, naming file and line, and LifecourseError
    if the server cannot be reached or a model fails.
    """
    keep(events, as_of, out)


def keep(
    events: Path, as_of: date, out: Path, server: Warehouse | None = None, is_tested: bool = False
) -> dict[str, int]:
    """What `books` does, on any server; returns the rows written per file. `is_tested`: dbt's tests of the money
    models run too, and a failing one raises LifecourseError."""
    check_folder(events, FILES, "books", "orders")
    with scratch(server or warehouse()) as target:
        with target.connect(Role.ADMIN, autocommit=True) as connection:
            load(connection, events)
            register_only(connection)
        dbt = Dbt(target, work_dir=settings().home / "books")
        variables = _variables(as_of)
        must_succeed(dbt.run("seed", ["path:seeds/money"], variables))
        with target.connect(Role.ADMIN, autocommit=True) as connection:
            _override_rules(connection)
        must_succeed(dbt.run("run", [*MODELS, "--exclude", *LEFT_OUT], variables))
        if is_tested:
            must_succeed(dbt.run("test", ["path:tests/money", "--indirect-selection", "cautious"], variables))
        with target.connect(Role.ADMIN, autocommit=True) as connection:
            return {
                name: write_csv(connection, query, out / f"{name}.csv") for name, query in RESULTS.items()
            }


def _variables(as_of: date) -> dict[str, Any]:
    """What a build passes to dbt."""
    return {
        "as_of": as_of.isoformat(),
        "build_id": "books",
        "build_kind": "full",
        "institution_timezone": settings().timezone,
        "purchase_event": "order",
        "target_schema": "core",
        "risk_signals": risk_signal_codes(),
    }


def load(connection: Connection, events: Path) -> None:
    """Fill the canonical tables that the models read from the files of the folder.

    Raises HistoryError with file and line for a value that is not what its column holds, a key that comes twice,
    or a row that refers to one that is not there.
    """
    for schema in (SCHEMA, "canonical", "core"):
        connection.execute(f"create schema {schema}")
    connection.execute(f"set search_path to {SCHEMA}")
    for name, columns in FILES.items():
        definitions = ", ".join(f"{column.name} {column.kind.postgres}" for column in columns)
        connection.execute(f"create unlogged table {name} ({definitions})")
        path = events / f"{name}.csv"
        if path.exists():
            copy_file(connection, name, columns, path)
    _check(connection, events)
    for name, query in CANONICAL.items():
        definitions = ", ".join(
            f"{column} {spec.postgres_type}" for column, spec in contract.table(name).columns.items()
        )
        connection.execute(
            f"create unlogged table canonical.{name} ({definitions}, _system text not null default 'books',"
            " _load_id bigint not null, _is_stale boolean not null default false)"
        )
        if query:
            connection.execute(query)
        connection.execute(f"analyze canonical.{name}")


def _check(connection: Connection, events: Path) -> None:
    """Keys come once, and what is referred to is there."""
    for name, key in KEYS.items():
        twice = one(connection, f"select {key} from {name} group by {key} having count(*) > 1 limit 1")
        if twice:
            raise at_value(
                events, name, {key: twice[0]}, f"a second row with this {key}", "leave one out", nth=2
            )
    for name, column, parent, key in PARENTS:
        stray = one(connection, f"select {column} from {name} except select {key} from {parent} limit 1")
        if stray:
            raise at_value(
                events,
                name,
                {column: stray[0]},
                f"{column} is not in {parent}.csv",
                "add the row there, or mend the id",
            )
    # A rule is a number or, the clause, a word.
    half = one(
        connection,
        f"select rule, coalesce(campus_id, '') from rules where (rule = '{CLAUSE}') <> (choice is not null)"
        " or (choice is null) <> (value is not null) limit 1",
    )
    if half:
        rule, campus = half
        needed = "choice, and no value" if rule == CLAUSE else "value, and no choice"
        raise at_value(
            events,
            "rules",
            {"rule": rule, "campus_id": campus},
            f"{rule} needs a {needed}",
            f"write a {needed}",
        )


def _override_rules(connection: Connection) -> None:
    """Put the numbers of rules.csv in the place of the seed's."""
    connection.execute(
        """
        delete from core.money_rules as kept
        using books.rules as given
        where given.rule = kept.rule and coalesce(given.campus_id, '') = coalesce(kept.campus_id, '')
        """
    )
    connection.execute(
        "insert into core.money_rules (campus_id, rule, value, choice)"
        " select campus_id, rule, value, choice from books.rules"
    )
