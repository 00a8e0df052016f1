"""The fifteen questions through row-level security, against the same questions without it.

On the warehouse that is there (`scripts/demo` makes one): the tables that the questions read are copied twice, once
with the policies that the published ones carry, once without, so that nothing else differs. Two comparisons:

* a branch: a login of one campus asks the tables with policies, and views of the copies without that say
  `where campus_id = any (...)`, as somebody would write by hand;
* head office: bi_reader asks both.

Each question is asked of both sides by turns, the median is kept, and the ratio is that of the sums of the medians
(bar: 1.10). A question that a branch may not ask, since a table of it has no campus, is measured for head office only.
"""

from __future__ import annotations

import argparse
import re
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo
from rich.console import Console
from rich.table import Table

from benchmarks.fifteen import FIFTEEN
from lifecourse.errors import LifecourseError
from lifecourse.warehouse import branches
from lifecourse.warehouse.connection import Role, Warehouse, warehouse

BAR = 1.10
LOGIN = "lifecourse_bench_branch"
GUARDED, PLAIN, FILTERED = "bench_guarded", "bench_plain", "bench_filtered"
#: A question is asked so often of each side, or for so many seconds, if that is more.
LEAST, SECONDS = 25, 2.0

Connection = psycopg.Connection[Any]


@dataclass(frozen=True)
class Measured:
    """Median milliseconds of one question on both sides."""

    question: str
    guarded: float
    plain: float

    @property
    def ratio(self) -> float:
        return self.guarded / self.plain


def tables() -> list[str]:
    """Tables of marts that the questions read."""
    return sorted({name for query in FIFTEEN.values() for name in re.findall(r"\{marts\}\.(\w+)", query)})


@contextmanager
def prepared(at: Warehouse) -> Iterator[tuple[Connection, str]]:
    """Copies with policies and without, and a session of a login that sees one campus; all is gone afterwards.

    Raises `LifecourseError` where nothing is published.
    """
    _remove(at)
    try:
        with at.connect(Role.BI_READER) as connection:
            row = connection.execute(
                "select campus_id from marts.dim_customer where campus_id is not null"
                " group by campus_id order by count(*) desc limit 1"
            ).fetchone()
        if row is None:
            raise LifecourseError(
                "nobody is published", "marts.dim_customer", "`scripts/demo` makes a warehouse"
            )
        campus = row[0]
        password = branches.grant(at, LOGIN, [campus])
        with at.connect(Role.ADMIN) as connection:
            _copy(connection, campus)
            connection.commit()
        with at.connect(Role.ADMIN, autocommit=True) as connection:
            for schema in (GUARDED, PLAIN):
                for table in tables():
                    connection.execute(
                        sql.SQL("vacuum (analyze, freeze) {}").format(sql.Identifier(schema, table))
                    )
        where = make_conninfo(
            host=at.host, port=at.port, dbname=at.name_of(), user=LOGIN, password=password, **at.parameters
        )
        with psycopg.connect(where, autocommit=True) as session:
            yield session, campus
    finally:
        _remove(at)


def _copy(connection: Connection, campus: str) -> None:
    for schema in (GUARDED, PLAIN, FILTERED):
        connection.execute(
            sql.SQL("create schema {0}; grant usage on schema {0} to {1}, {2}").format(
                sql.Identifier(schema), sql.Identifier(LOGIN), sql.Identifier(Role.BI_READER.login)
            )
        )
    for table in tables():
        for schema in (GUARDED, PLAIN):
            connection.execute(
                sql.SQL(
                    "create table {new} (like marts.{table} including all); insert into {new} select * from marts.{table}"
                ).format(new=sql.Identifier(schema, table), table=sql.Identifier(table))
            )
        has_campus = _guard(connection, table)
        where = (
            sql.SQL("where campus_id = any (array[{}])").format(sql.Literal(campus))
            if has_campus
            else sql.SQL("")
        )
        connection.execute(
            sql.SQL("create view {} as select * from {} {}").format(
                sql.Identifier(FILTERED, table), sql.Identifier(PLAIN, table), where
            )
        )
        may_read = connection.execute(
            "select has_table_privilege(%s, %s, 'select')", (LOGIN, f"marts.{table}")
        ).fetchone()
        for schema in (GUARDED, PLAIN, FILTERED):
            readers = [Role.BI_READER.login, *([LOGIN] if may_read == (True,) else [])]
            connection.execute(
                sql.SQL("grant select on {} to {}").format(
                    sql.Identifier(schema, table), sql.SQL(", ").join(map(sql.Identifier, readers))
                )
            )


def _guard(connection: Connection, table: str) -> bool:
    """The policies of the published table on its copy; whether there are any."""
    policies = connection.execute(
        "select policyname::text, roles::text[], qual from pg_policies where schemaname = 'marts' and tablename = %s",
        (table,),
    ).fetchall()
    for name, roles, condition in policies:
        connection.execute(
            sql.SQL(
                "alter table {new} enable row level security; create policy {name} on {new} for select to {roles} using ({condition})"
            ).format(
                new=sql.Identifier(GUARDED, table),
                name=sql.Identifier(name),
                roles=sql.SQL(", ").join(map(sql.Identifier, roles)),
                condition=sql.SQL(condition),
            )
        )
    return bool(policies)


def _remove(at: Warehouse) -> None:
    with at.connect(Role.ADMIN) as connection:
        for schema in (FILTERED, GUARDED, PLAIN):
            connection.execute(sql.SQL("drop schema if exists {} cascade").format(sql.Identifier(schema)))
        if connection.execute("select 1 from pg_roles where rolname = %s", (LOGIN,)).fetchone():
            connection.execute(sql.SQL("drop role {}").format(sql.Identifier(LOGIN)))
        connection.commit()


def compare(session: Connection, guarded: str, plain: str) -> list[Measured]:
    """Every question that the session may ask, of two schemas by turns.

    Raises `LifecourseError` where the two do not answer the same.
    """
    found = []
    for question, query in FIFTEEN.items():
        asked = [query.format(marts=schema).encode() for schema in (guarded, plain)]
        try:
            answers = [sorted(map(str, session.execute(each).fetchall())) for each in asked]
        except psycopg.errors.InsufficientPrivilege:
            continue
        if answers[0] != answers[1]:
            raise LifecourseError("answered differently", question, "the two sides must hold the same rows")
        times: tuple[list[float], list[float]] = ([], [])
        until = time.perf_counter() + SECONDS
        while len(times[0]) < LEAST or time.perf_counter() < until:
            for side in (0, 1) if len(times[0]) % 2 else (1, 0):
                began = time.perf_counter()
                session.execute(asked[side]).fetchall()
                times[side].append((time.perf_counter() - began) * 1000)
        found.append(Measured(question, *map(statistics.median, times)))
    return found


def show(title: str, measured: list[Measured], console: Console) -> float:
    """Prints the questions and the ratio of all; that ratio."""
    table = Table(title=title)
    for heading in ("question", "with policies, ms", "without, ms", "ratio"):
        table.add_column(heading, justify="left" if heading == "question" else "right")
    for each in measured:
        table.add_row(each.question, f"{each.guarded:.2f}", f"{each.plain:.2f}", f"{each.ratio:.2f}")
    whole = Measured(
        "all of them", sum(each.guarded for each in measured), sum(each.plain for each in measured)
    )
    table.add_section()
    table.add_row(whole.question, f"{whole.guarded:.1f}", f"{whole.plain:.1f}", f"{whole.ratio:.3f}")
    console.print(table)
    said = "met" if whole.ratio <= BAR else "MISSED"
    console.print(f"{len(measured)} of {len(FIFTEEN)} questions; bar {BAR:g}: {said}")
    return whole.ratio


def main() -> None:
    """Command line of the measurement."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.parse_args()
    console, at = Console(), warehouse()
    with prepared(at) as (session, campus), at.connect(Role.BI_READER, autocommit=True) as head_office:
        row = head_office.execute("select count(*) from marts.dim_customer").fetchone()
        console.print(f"{row[0] if row else 0:,} customers")
        show(f"a branch, campus {campus}", compare(session, GUARDED, FILTERED), console)
        show("head office", compare(head_office, GUARDED, PLAIN), console)


if __name__ == "__main__":
    main()
