"""The proof of an erasure: every table and file is searched for the person."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any

import psycopg
from psycopg import sql

from lifecourse.privacy.subject import Subject
from lifecourse.settings import settings
from lifecourse.warehouse.connection import Role, Warehouse

Connection = psycopg.Connection[Any]

#: A key of the sources is a small number that other tables use too: it is looked for in columns that hold such keys.
KEY_COLUMNS = {
    "customers": "customer_id",
    "learners": "learner_id",
    "leads": "lead_id",
    "contacts": "contact_id",
}
#: Shorter values and birthdays stand in other people's rows by chance; their tokens are looked for all the same.
SHORTEST = {
    "phone": 7,
    "email": 6,
    "external_id": 6,
    "name": 3,
    "address": 5,
    "free_text": 8,
}
#: The values that must be there and nowhere else: searched by token. The ledger names the person until it is done.
VAULT_TABLES = ("token", "value", "erasure_request")
#: Text that a person may read, below the home folder; the sources of the simulated institution are not ours.
SEARCHED_FOLDERS = ("logs", "reports", "exports", "docs", "data_docs", "dbt", "airflow", "privacy")


@dataclass(frozen=True)
class Finding:
    """Rows (or files) in which something of the person was found; never what it was."""

    where: str
    what: str
    rows: int

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def search(target: Warehouse, subject: Subject) -> list[Finding]:
    """Everywhere in the warehouse's database and in the files that it wrote; what was found, nothing left out.

    Every table is read once, whatever is looked for in it.
    """
    with target.connect(Role.ADMIN) as connection:
        connection.execute("set local statement_timeout = 0")
        found = [
            each
            for (schema, table), columns in _tables(connection).items()
            for each in _in_table(connection, schema, table, _conditions(schema, table, columns, subject))
        ]
        connection.rollback()
    return found + _in_files(subject)


def _tables(connection: Connection) -> dict[tuple[str, str], list[tuple[str, str]]]:
    """Schema and table -> its columns with their types."""
    tables: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for schema, table, column, kind in connection.execute(
        "select n.nspname::text, c.relname::text, a.attname::text, format_type(a.atttypid, null)"
        " from pg_attribute as a join pg_class as c on c.oid = a.attrelid"
        " join pg_namespace as n on n.oid = c.relnamespace"
        " where c.relkind in ('r', 'm') and a.attnum > 0 and not a.attisdropped"
        " and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')"
        " order by 1, 2, a.attnum"
    ):
        tables.setdefault((schema, table), []).append((column, kind))
    return tables


def _conditions(
    schema: str, table: str, columns: list[tuple[str, str]], subject: Subject
) -> dict[str, sql.Composable]:
    """What is looked for in a table -> the condition on its row `held`, and on that row as `text`."""
    conditions: dict[str, sql.Composable] = {}
    is_vault = schema == "vault" and table in VAULT_TABLES
    for column, kind in columns if (schema, table) != _LEDGER else ():
        for name, ending in KEY_COLUMNS.items():
            if column.endswith(ending) and kind == "text":
                _add_any(conditions, f"{name} in {column}", column, getattr(subject, name), kind)
        if kind == "uuid":
            _add_any(conditions, f"tokens in {column}", column, subject.tokens, kind)
    if (schema, table) == ("vault", "value"):
        for kind in sorted({kind for kind, _ in subject.values}):
            values = [value for other, value in subject.values if other == kind]
            conditions[f"a value of kind {kind}"] = sql.SQL(
                "(held).kind = {} and (held).value = any({})"
            ).format(sql.Literal(kind), sql.Literal(values))
    words = _words(subject)
    if words and not is_vault:
        # Customer ids, tokens and values anywhere in the row: error messages, arrays and documents as well. The words
        # first, which is fast; whether they stand alone is asked of the few rows that hold one. `and` would not do:
        # Postgres asks the one that it takes for the cheaper first, which is the expression.
        conditions["text of the row"] = sql.SQL("case when text like any({}) then text ~ {} end").format(
            sql.Literal(_like(words)), sql.Literal(_pattern(words))
        )
    return conditions


_LEDGER = ("vault", "erasure_request")


def _add_any(
    conditions: dict[str, sql.Composable], what: str, column: str, keys: list[str], kind: str
) -> None:
    if keys:
        conditions[what] = sql.SQL("(held).{} = any({}::{}[])").format(
            sql.Identifier(column), sql.Literal(keys), sql.SQL(kind)
        )


def _in_table(
    connection: Connection, schema: str, table: str, conditions: dict[str, sql.Composable]
) -> list[Finding]:
    if not conditions:
        return []
    counts = sql.SQL(", ").join(
        sql.SQL("count(*) filter (where {})").format(condition) for condition in conditions.values()
    )
    row = connection.execute(
        # Without the offset the row would be written out as text once for every condition on it.
        sql.SQL("select {} from (select held, held::text as text from {} as held offset 0) as read").format(
            counts, sql.Identifier(schema, table)
        )
    ).fetchone()
    assert row is not None
    return [
        Finding(f"{schema}.{table}", what, count)
        for what, count in zip(conditions, row, strict=True)
        if count
    ]


def _words(subject: Subject) -> list[str]:
    words = {*subject.customers, *subject.tokens}
    words |= {value for kind, value in subject.values if len(value) >= SHORTEST.get(kind, 10_000)}
    return sorted(words)


def _pattern(words: list[str]) -> str:
    return rf"(^|\W)({'|'.join(map(re.escape, words))})(\W|$)"


def _like(words: list[str]) -> list[str]:
    escaped = (re.sub(r"([%_\\])", r"\\\1", word) for word in words)
    return [f"%{word}%" for word in escaped]


def _in_files(subject: Subject) -> list[Finding]:
    words = _words(subject)
    if not words:
        return []
    looked_for = re.compile(_pattern(words))
    found = []
    for name in SEARCHED_FOLDERS:
        folder = settings().home / name
        for path in sorted(folder.rglob("*")) if folder.exists() else ():
            # The ledger has marks for keys; what dbt has parsed is the project's own text, with ids and phones in examples.
            if not path.is_file() or path.name == "erasure_ledger.jsonl" or path.suffix == ".msgpack":
                continue
            if looked_for.search(path.read_bytes().decode("utf-8", "replace")):
                found.append(Finding(str(path.relative_to(settings().home)), "text of the file", 1))
    return found
