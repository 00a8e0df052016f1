"""A person's own copy: everything that is held about one customer, readable (PIPL, article 45)."""

from __future__ import annotations

import getpass
import html
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from lifecourse import contract
from lifecourse.errors import LifecourseError
from lifecourse.privacy.subject import HeldTable, Subject, find, held_tables
from lifecourse.warehouse.connection import Role, Warehouse, warehouse

Connection = psycopg.Connection[Any]

#: The loader's own marks on a row: they say nothing of the person but when it was loaded.
_OWN = ("_load_id", "_changed_at", "_superseded_by_load", "_is_stale", "_row", "_quarantine_id", "_identity",
        "_batch_id", "_first_seen_batch", "_seen_at", "_closed_at")  # fmt: skip


@dataclass(frozen=True)
class Section:
    """Rows of one table, with what the table is."""

    name: str
    grain: str
    rows: list[dict[str, Any]]
    descriptions: dict[str, str]


def export(customer_id: str, out: Path, of: Warehouse | None = None) -> list[Path]:
    """Writes ``<out>/<customer>/`` with a page to read and the same as JSON; the files.

    The values stand in plain text: the folder is for the person alone. The export is logged among the look-ups.
    Raises `LifecourseError` for a customer that nobody knows.
    """
    target = of or warehouse()
    subject = find(target, customer_id=customer_id)
    if customer_id not in subject.customers or not (subject.learners or subject.leads):
        raise LifecourseError(
            "nobody has this id", f"customer {customer_id}", "look it up in marts.dim_customer"
        )
    with target.connect(Role.LOADER) as connection:
        told = _from_sources(connection, subject)
        connection.execute(
            "insert into vault.look_up (ticket, asked_in, asked_by, on_behalf_of, purpose, list_name, customer_id,"
            " is_answered, reason_code) values (gen_random_uuid(), pg_current_xact_id(), session_user, %s,"
            " 'own_copy', 'lifecourse subject export', %s, true, 'own_copy')",
            (getpass.getuser(), customer_id),
        )
        asked = _look_ups(connection, subject)
        connection.commit()
    with target.connect(Role.BI_READER) as connection:
        derived = _from_marts(connection, subject)
    folder = out / customer_id
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    data = {
        "customer": customer_id,
        "learners": subject.learners,
        "from_the_systems": {each.name: each.rows for each in told},
        "derived": {each.name: each.rows for each in derived},
        "look_ups": asked.rows,
    }
    files = [folder / "everything.json", folder / "everything.html"]
    files[0].write_text(json.dumps(data, ensure_ascii=False, indent=1, default=str), encoding="utf-8")
    files[1].write_text(_page(customer_id, told, derived, asked), encoding="utf-8")
    for file in files:
        file.chmod(0o600)
    return files


def _from_sources(connection: Connection, subject: Subject) -> list[Section]:
    """What the systems said and say, values in place of tokens; quarantined rows too."""
    sections = []
    for held in held_tables(connection, with_orders=True):
        condition = _own_rows(held, subject)
        rows: list[dict[str, Any]] = []
        for schema, state in (("raw", "now"), ("raw_history", "before"), ("quarantine", "quarantined")):
            rows += [
                {"state": "deleted in the source" if row.pop("_deleted_at", None) else state, **row}
                for (row,) in connection.execute(
                    sql.SQL("select to_jsonb(held) - {}::text[] from {} as held where {}").format(
                        sql.Literal(list(_OWN)), sql.Identifier(schema, held.relation), condition
                    )
                )
            ]
        if rows:
            _put_values(connection, held, rows)
            table = contract.tables().get(held.table.maps_to or "")
            sections.append(
                Section(
                    f"{held.system.system}.{held.table.name}",
                    table.grain if table else "",
                    rows,
                    {name: column.description for name, column in table.columns.items()} if table else {},
                )
            )
    return sections


def _own_rows(held: HeldTable, subject: Subject) -> sql.Composable:
    parts = [
        sql.SQL("{}::text = any({})").format(sql.Identifier(column), sql.Literal(keys))
        for kind, keys in subject.keys.items()
        for column in held.links.by_kind.get(kind, [])
        if keys
    ]
    if "order_id" in held.table.columns and subject.orders:
        parts.append(sql.SQL("order_id::text = any({})").format(sql.Literal(subject.orders)))
    return sql.SQL(" or ").join(parts) if parts else sql.SQL("false")


def _put_values(connection: Connection, held: HeldTable, rows: list[dict[str, Any]]) -> None:
    columns = [name for name, column in held.table.columns.items() if column.postgres_type == "uuid"]
    tokens = {row[name] for row in rows for name in columns if row.get(name)}
    values = dict(
        connection.execute(
            "select token::text, value from vault.value where token = any(%s::uuid[])", (list(tokens),)
        ).fetchall()
    )
    for row in rows:
        for name in columns:
            if row.get(name):
                row[name] = values.get(row[name])


def _look_ups(connection: Connection, subject: Subject) -> Section:
    rows = connection.execute(
        "select jsonb_build_object('asked_at', asked_at, 'asked_by', asked_by, 'purpose', purpose, 'list', list_name,"
        " 'is_answered', is_answered, 'reason', reason_code) from vault.look_up where customer_id = any(%s)"
        " order by asked_at",
        (subject.customers,),
    ).fetchall()
    return Section("look_ups", "one row per time that contacts were looked up", [row[0] for row in rows], {})


def _from_marts(connection: Connection, subject: Subject) -> list[Section]:
    """What was derived: every public table with the customer, and with the customer's enquiries."""
    tables = connection.execute(
        "select c.relname::text, array_agg(a.attname::text), obj_description(c.oid, 'pg_class')"
        " from pg_class as c join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped"
        " where c.relnamespace = 'marts'::regnamespace and c.relkind = 'r' group by c.oid, c.relname order by 1"
    ).fetchall()
    sections = []
    for name, columns, comment in tables:
        conditions = [
            sql.SQL("{} = any({})").format(sql.Identifier(column), sql.Literal(keys))
            for column, keys in (("customer_id", subject.customers), ("lead_id", subject.leads))
            if column in columns and keys
        ]
        if not conditions:
            continue
        rows = [
            row[0]
            for row in connection.execute(
                sql.SQL("select to_jsonb(held) from {} as held where {}").format(
                    sql.Identifier("marts", name), sql.SQL(" or ").join(conditions)
                )
            )
        ]
        if rows:
            described = connection.execute(
                "select a.attname::text, col_description(a.attrelid, a.attnum) from pg_attribute as a"
                " where a.attrelid = to_regclass(%s) and a.attnum > 0 and not a.attisdropped",
                (f'marts."{name}"',),
            ).fetchall()
            grain = (comment or "").split(". ")[0]
            sections.append(Section(name, grain, rows, {column: text or "" for column, text in described}))
    return sections


_STYLE = (
    "body{font:15px/1.5 system-ui,'Noto Sans CJK SC',sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem}"
    "table{border-collapse:collapse;font-size:13px;display:block;overflow-x:auto}"
    "td,th{border:1px solid #ccc;padding:.2rem .5rem;text-align:left;vertical-align:top}th{background:#f3f3f3}"
    "h2{margin-top:2.2rem}.grain{color:#555}"
)


def _page(customer_id: str, told: list[Section], derived: list[Section], asked: Section) -> str:
    parts = [
        "<!doctype html><html lang='en'><head><meta charset='utf-8'>",
        f"<title>Everything held about customer {html.escape(customer_id)}</title><style>{_STYLE}</style></head><body>",
        f"<h1>Everything held about customer {html.escape(customer_id)}</h1>",
        "<p>Part 1 is what the sign-up, teaching and payment systems said, now and before. Part 2 is what was"
        " derived from it. Part 3 says who looked up how to reach you. The same as data: everything.json.</p>",
        "<h1>1 From the systems</h1>",
        *(_section(each) for each in told),
        "<h1>2 Derived</h1>",
        *(_section(each) for each in derived),
        "<h1>3 Looked up</h1>",
        _section(asked) if asked.rows else "<p>Never.</p>",
        "</body></html>",
    ]
    return "\n".join(parts)


def _section(section: Section) -> str:
    names = list(dict.fromkeys(name for row in section.rows for name in row))
    head = "".join(
        f"<th title='{html.escape(section.descriptions.get(name, ''), quote=True)}'>{html.escape(name)}</th>"
        for name in names
    )
    body = "".join(
        "<tr>" + "".join(f"<td>{_cell(row.get(name))}</td>" for name in names) + "</tr>"
        for row in section.rows
    )
    return (
        f"<h2>{html.escape(section.name)}</h2><p class='grain'>{html.escape(section.grain)}</p>"
        f"<table><tr>{head}</tr>{body}</table>"
    )


def _cell(value: Any) -> str:
    return "" if value is None else html.escape(str(value))
