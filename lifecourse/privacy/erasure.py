"""Erasing a person: from every schema, and so that no source and no backup brings the person back.

Three steps, each safe to run again, so that a kill at any instant is mended by running it once more:

* `apply`, one transaction: rows go from landing, raw, raw_history and quarantine, or lose their person where
  accounting law keeps them (`lifecourse.privacy.policy`); values go from the vault; marks stay behind that the merge
  and the vault ask.
* a build of the published day, so that readers go from one whole, audited build to the next.
* `finish`: what earlier builds and publications left behind goes, then everything is searched. Only a search that
  finds nothing makes the request honoured.
"""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Iterable
from datetime import datetime
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from lifecourse import building
from lifecourse.errors import LifecourseError
from lifecourse.loading.pull import drop_landing, prepare
from lifecourse.privacy import ledger
from lifecourse.privacy.files import redact_bills, remove_written_files
from lifecourse.privacy.ledger import Request
from lifecourse.privacy.marks import POINTING_KINDS, PSEUDONYM_PREFIX, mark, value_mark
from lifecourse.privacy.policy import STUB, links_of, policy_of
from lifecourse.privacy.search import Finding, search
from lifecourse.privacy.subject import HELD_IN, LEAD_PREFIX, HeldTable, Subject, find, held_tables
from lifecourse.privacy.suppression import scrub
from lifecourse.settings import settings
from lifecourse.sources.spec import load_systems
from lifecourse.warehouse.connection import Role, Warehouse, warehouse
from lifecourse.warehouse.locks import LOCK_BUILD, LOCK_VAULT
from lifecourse.warehouse.publish import forget_previous

log = logging.getLogger(__name__)

Connection = psycopg.Connection[Any]


class NotErased(LifecourseError):
    """The search found something of the person: the request stays in the ledger as applied."""


def honour(of: Warehouse | None = None) -> list[Request]:
    """Honours every open request, takes up those that were interrupted; the requests that are now done.

    A request for an id that nobody has becomes `unknown`. Raises `NotErased` where the search finds something.
    """
    target = of or warehouse()
    _complete_tables(target)
    for request in ledger.requests(target, "open"):
        try:
            subject = find(target, request.customer_id, request.learner_id)
        except LifecourseError:
            _set_status(target, request.request_id, "unknown")
            continue
        apply(target, request.request_id, subject)
    applied = ledger.requests(target, "applied")
    with target.connect(Role.LOADER) as connection:
        ledger.write_file(connection)
    for request in applied:
        _clean_identity(target, request.subject or Subject())
    if applied:
        _build_published_day(target)
    for request in applied:
        finish(target, request)
    done = {request.request_id for request in applied}
    return [request for request in ledger.requests(target, "honoured") if request.request_id in done]


def _complete_tables(target: Warehouse) -> None:
    """Columns that the descriptions have gained since the last pull are made first: the rows are scrubbed by them."""
    for spec in load_systems().values():
        # One call completes the tables of every system.
        prepare(target, spec)
        return


def replay(of: Warehouse | None = None) -> list[Request]:
    """Erases again whom the ledger file names and this database does not know as erased: after a restore.

    The file holds marks only, so every key in the sources' rows is compared with them. Returns the requests that are
    now done.
    """
    target = of or warehouse()
    _complete_tables(target)
    for line in ledger.read_file():
        with target.connect(Role.LOADER) as connection:
            row = connection.execute(
                "select status from vault.erasure_request where request_id = %s", (line["request_id"],)
            ).fetchone()
            if row and row[0] in ("applied", "honoured", "lifted"):
                continue
            connection.execute(
                "insert into vault.erasure_request (request_id, requested_at, requested_by, came_by, reason)"
                " values (%(request_id)s, %(requested_at)s, 'ledger', 'replay', %(reason)s)"
                " on conflict (request_id) do update set status = 'open'",
                line,
            )
            _suppress_values(
                connection,
                line["request_id"],
                datetime.fromisoformat(line["applied_at"]),
                {(kind, bytes.fromhex(value_hmac)) for kind, value_hmac in line["values"]},
            )
            connection.commit()
        apply(target, line["request_id"], _recognised(target, line["keys"]))
    return honour(target)


def _recognised(target: Warehouse, keys: list[list[str | None]]) -> Subject:
    """The person of a line of the file, as far as this database holds rows of them."""
    marks = {(kind, bytes.fromhex(key_hmac or "")): pseudonym for kind, key_hmac, pseudonym in keys}
    found: dict[str, set[str]] = {"learner": set(), "lead": set(), "contact": set(), "order": set()}
    subject = Subject()
    with target.connect(Role.LOADER) as connection:
        for held in held_tables(connection):
            for kind, columns in held.links.by_kind.items():
                for column in columns:
                    for schema in HELD_IN:
                        for (key,) in connection.execute(
                            sql.SQL("select distinct {0}::text from {1} where {0} is not null").format(
                                sql.Identifier(column), sql.Identifier(schema, held.relation)
                            )
                        ):
                            known = (kind, mark(kind, key))
                            if known in marks:
                                found[kind].add(key)
                                if kind == "learner":
                                    subject.pseudonyms[key] = marks[known] or ""
    subject.learners, subject.leads = sorted(found["learner"]), sorted(found["lead"])
    subject.contacts, subject.orders = sorted(found["contact"]), sorted(found["order"])
    with target.connect(Role.TRANSFORMER) as connection:
        if connection.execute("select to_regclass('core.identity_registry') is not null").fetchone() == (
            True,
        ):
            subject.customers = [
                row[0]
                for row in connection.execute(
                    "select distinct customer_id from core.identity_registry where learner_id = any(%s)",
                    ([*subject.learners, *(LEAD_PREFIX + lead for lead in subject.leads)],),
                )
            ]
    return subject


def apply(
    target: Warehouse,
    request_id: str,
    subject: Subject,
) -> None:
    """Takes the person out of everything that the loader keeps, in one transaction.

    Waits for merges and builds, which wait for it in turn.
    """
    with target.connect(Role.LOADER) as connection:
        connection.execute("select pg_advisory_xact_lock(%s)", (LOCK_BUILD,))
        connection.execute("select pg_advisory_xact_lock(%s)", (LOCK_VAULT,))
        row = connection.execute(
            "select status from vault.erasure_request where request_id = %s for update", (request_id,)
        ).fetchone()
        if row is None or row[0] != "open":
            connection.rollback()
            return
        tables = list(held_tables(connection))
        for learner in subject.learners:
            subject.pseudonyms.setdefault(learner, PSEUDONYM_PREFIX + secrets.token_hex(8))
        touched = _others_touched(connection, tables, subject)
        _collect_tokens(connection, tables, subject)
        _keep_stubs(connection, tables, subject)
        for held in tables:
            _scrub_held(connection, held, subject)
        _drop_landed(connection, subject)
        _forget_tokens(connection, subject, request_id)
        _suppress_keys(connection, subject, request_id)
        _touch(connection, subject, touched)
        connection.execute(
            "update vault.erasure_request set status = 'applied', applied_at = clock_timestamp(), subject = %s"
            " where request_id = %s",
            (Jsonb(subject.as_json()), request_id),
        )
        # Files first: if the transaction is lost, they are gone over again with the values still known.
        renamed = redact_bills(value for kind, value in subject.values if kind == "external_id")
        for old, new in renamed.items():
            connection.execute("update meta.batch set unit_hash = %s where unit_hash = %s", (new, old))
        connection.commit()
        ledger.write_file(connection)
    log.info("request %s is applied: %d tokens went", request_id, len(subject.tokens))


def finish(target: Warehouse, request: Request) -> None:
    """Takes away what builds and publications have left, searches everything, and closes the request."""
    subject = request.subject or Subject()
    _clean_built(target, subject)
    forget_previous(target)
    _clean_meta(target, subject)
    _clean_scratch(target, subject)
    files = remove_written_files(subject.customers)
    # dbt notes the command line that it was called from, which may name a customer.
    (settings().home / "dbt" / "target" / "run_results.json").unlink(missing_ok=True)
    found = search(target, subject)
    if found:
        _set_report(target, request, found, files, "applied")
        raise NotErased(
            f"something of the person is still in {', '.join(sorted({each.where for each in found}))}",
            f"erasure request {request.request_id}",
            "`lifecourse privacy report` says how many rows; take them away, then `lifecourse privacy honour` again",
        )
    _set_report(target, request, found, files, "honoured")
    # Deleted rows lie in their pages until somebody takes the space.
    with target.connect(Role.LOADER, autocommit=True) as connection:
        for table in ("token", "value", "erasure_request"):
            connection.execute(sql.SQL("vacuum {}").format(sql.Identifier("vault", table)))


# What the loader keeps -----------------------------------------------------------------------------------


def _matching(held: HeldTable, subject: Subject) -> sql.Composable:
    """Condition: the row leads to the person by a key of its own, not as somebody else's mention."""
    parts = [
        sql.SQL("{}::text = any({})").format(sql.Identifier(column), sql.Literal(keys))
        for kind, keys in subject.keys.items()
        for column in held.links.by_kind.get(kind, [])
        if keys and not held.policy.leaves(kind, column)
    ]
    return sql.SQL(" or ").join(parts) if parts else sql.SQL("false")


def _collect_tokens(connection: Connection, tables: Iterable[HeldTable], subject: Subject) -> None:
    connection.execute("create temporary table erased_token (token uuid) on commit drop")
    for held in tables:
        for schema in HELD_IN:
            for column in _tokens_of(held.table):
                connection.execute(
                    sql.SQL(
                        "insert into erased_token select {0} from {1} where {0} is not null and ({2})"
                    ).format(
                        sql.Identifier(column),
                        sql.Identifier(schema, held.relation),
                        _matching(held, subject),
                    )
                )


def _tokens_of(table: Any) -> list[str]:
    return [name for name, column in table.columns.items() if column.postgres_type == "uuid"]


def _keep_stubs(connection: Connection, tables: list[HeldTable], subject: Subject) -> None:
    """A learner with rows that are kept stays as a number with a campus: such rows need a parent."""
    kept = [held for held in tables if held.policy.kept and "learner" in held.links.by_kind]
    for learner in subject.learners:
        pseudonym = subject.pseudonyms[learner]
        if not any(
            connection.execute(
                sql.SQL("select 1 from raw.{} where {}::text = %s limit 1").format(
                    sql.Identifier(held.relation), sql.Identifier(column)
                ),
                (learner,),
            ).fetchone()
            for held in kept
            for column in held.links.by_kind["learner"]
        ):
            continue
        for held in tables:
            if held.table.maps_to != "learners":
                continue
            columns = [name for name in STUB if name in held.table.columns]
            stubs = connection.execute(
                sql.SQL(
                    "insert into raw.{relation} (learner_id, {columns}, _load_id, _changed_at)"
                    " select %s, {columns}, _load_id, _changed_at from raw.{relation}"
                    " where learner_id = %s and _deleted_at is null on conflict do nothing"
                ).format(
                    relation=sql.Identifier(held.relation),
                    columns=sql.SQL(", ").join(map(sql.Identifier, columns)),
                ),
                (pseudonym, learner),
            ).rowcount
            _removed(connection, held, -stubs)


def _scrub_held(connection: Connection, held: HeldTable, subject: Subject) -> None:
    removed = 0
    for schema in HELD_IN:
        for kind, columns in held.links.by_kind.items():
            keys = subject.keys[kind]
            if not keys:
                continue
            for column in columns:
                gone = scrub(
                    connection,
                    sql.Identifier(schema, held.relation),
                    held.policy,
                    held.links,
                    kind,
                    column,
                    {key: subject.pseudonyms.get(key) for key in keys},
                )
                removed += gone if schema != "quarantine" else 0
    if held.policy.kept:
        # What a cast stumbled over may quote the row.
        connection.execute(
            sql.SQL(
                "update quarantine.{} set _cast_error = null where {} and _cast_error is not null"
            ).format(
                sql.Identifier(held.relation),
                sql.SQL("learner_id = any({})").format(sql.Literal(list(subject.pseudonyms.values())))
                if "learner_id" in held.table.columns
                else sql.SQL("false"),
            )
        )
    _removed(connection, held, removed)


def _removed(connection: Connection, held: HeldTable, versions: int) -> None:
    if versions:
        connection.execute(
            "insert into meta.removed_version (system, source_table, versions, reason) values (%s, %s, %s, 'erasure')",
            (held.system.system, held.table.name, versions),
        )


def _drop_landed(connection: Connection, subject: Subject) -> None:
    """Batches that wait with the person in them are dropped: their merge pulls again, and leaves the person out."""
    systems = load_systems()
    for batch_id, system, name in connection.execute(
        "select batch_id, system, source_table from meta.batch where status = 'landed'"
        " and to_regclass('landing.b' || batch_id) is not null"
    ).fetchall():
        spec = systems.get(system)
        if spec is None or name not in spec.table_names:
            continue
        described = spec.table(name)
        held = HeldTable(spec, described, links_of(described), policy_of(spec, described))
        conditions = [
            sql.SQL("{}::text = any({})").format(sql.Identifier(column), sql.Literal(subject.keys[kind]))
            for kind, columns in held.links.by_kind.items()
            for column in columns
            if subject.keys[kind]
        ]
        if (
            conditions
            and connection.execute(
                sql.SQL("select 1 from landing.{} where {} limit 1").format(
                    sql.Identifier(f"b{batch_id}"), sql.SQL(" or ").join(conditions)
                )
            ).fetchone()
        ):
            drop_landing(connection, batch_id)


def _forget_tokens(connection: Connection, subject: Subject, request_id: str) -> None:
    """Values that nobody else's row refers to leave the vault; phones and accounts are not taken in again."""
    for system in load_systems().values():
        for table in system.tables:
            relation = f"{system.system}__{table.name}"
            for column in _tokens_of(table):
                for schema in HELD_IN:
                    if connection.execute("select to_regclass(%s)", (f"{schema}.{relation}",)).fetchone() == (
                        None,
                    ):
                        continue
                    connection.execute(
                        sql.SQL(
                            "delete from erased_token using {0} as held where held.{1} = erased_token.token"
                        ).format(sql.Identifier(schema, relation), sql.Identifier(column))
                    )
    rows = connection.execute(
        "select distinct token::text, kind, value from vault.value join erased_token using (token)"
    ).fetchall()
    subject.tokens = [token for token, _, _ in rows]
    subject.values = [(kind, value) for _, kind, value in rows]
    now = connection.execute("select clock_timestamp()").fetchone()
    assert now is not None
    _suppress_values(
        connection,
        request_id,
        now[0],
        {(kind, value_mark(kind, value)) for kind, value in subject.values if kind in POINTING_KINDS},
    )
    for vault_table in ("value", "token"):
        connection.execute(
            sql.SQL("delete from vault.{} where token in (select token from erased_token)").format(
                sql.Identifier(vault_table)
            )
        )


def _suppress_values(
    connection: Connection, request_id: str, erased_at: datetime, marks: Iterable[tuple[str, bytes]]
) -> None:
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into vault.suppressed_value (kind, value_hmac, erased_at, request_id) values (%s, %s, %s, %s)"
            " on conflict (kind, value_hmac) do update set erased_at = excluded.erased_at",
            [(kind, value_hmac, erased_at, request_id) for kind, value_hmac in marks],
        )


def _suppress_keys(connection: Connection, subject: Subject, request_id: str) -> None:
    rows = [
        (kind, mark(kind, key), subject.pseudonyms.get(key) if kind == "learner" else None, request_id)
        for kind, keys in subject.keys.items()
        for key in keys
    ]
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into vault.suppressed_key (kind, key_hmac, pseudonym, request_id) values (%s, %s, %s, %s)"
            " on conflict do nothing",
            rows,
        )


def _others_touched(
    connection: Connection, tables: Iterable[HeldTable], subject: Subject
) -> list[tuple[str, str]]:
    """Others whose rows mention the person: they are built anew."""
    touched: set[tuple[str, str]] = set()
    for held in tables:
        for kind, keys in subject.keys.items():
            for column in held.links.by_kind.get(kind, []):
                if not keys or not held.policy.leaves(kind, column):
                    continue
                for learner in held.links.by_kind.get("learner", []):
                    touched |= {
                        ("learner", row[0])
                        for row in connection.execute(
                            sql.SQL(
                                "select distinct {0}::text from raw.{1} where {2}::text = any(%s) and {0} is not null"
                            ).format(
                                sql.Identifier(learner), sql.Identifier(held.relation), sql.Identifier(column)
                            ),
                            (keys,),
                        )
                    }
    return sorted(touched - {("learner", learner) for learner in subject.learners})


def _touch(connection: Connection, subject: Subject, others: list[tuple[str, str]]) -> None:
    """The next build computes the person's rows away, and those of the pseudonym and of others anew."""
    load = connection.execute("select nextval('meta.load_id')").fetchone()
    assert load is not None
    keys = [
        *(("customer", customer) for customer in subject.customers),
        *(("learner", learner) for learner in (*subject.learners, *subject.pseudonyms.values())),
        *(("lead", lead) for lead in subject.leads),
        *(("contact", contact) for contact in subject.contacts),
        *others,
    ]
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into meta.touched (load_id, kind, key) values (%s, %s, %s)",
            [(load[0], kind, key) for kind, key in keys],
        )


# What builds and publications left -----------------------------------------------------------------------


def _build_published_day(target: Warehouse) -> None:
    with target.connect(Role.TRANSFORMER) as connection:
        row = connection.execute(
            "select as_of from meta.publication where rolled_back_at is null order by publication_id desc limit 1"
        ).fetchone()
    if row:
        building.build(row[0], into=target)


#: Columns by which tables of core and marts name a person, by kind of key.
BUILT_COLUMNS = {
    "customers": ("customer_id",),
    "learners": ("learner_id",),
    "leads": ("lead_id",),
    "contacts": ("contact_id",),
}


def _clean_built(target: Warehouse, subject: Subject) -> None:
    """State and leftovers in core; rebuilds of old days are dropped whole, since they can be made again."""
    with target.connect(Role.TRANSFORMER) as connection:
        connection.execute("select pg_advisory_xact_lock(%s)", (LOCK_BUILD,))
        for (schema,) in connection.execute(
            "select nspname::text from pg_namespace where (nspname ~ '^asof_' or nspname ~ '^rules_')"
            " and pg_has_role(nspowner, 'member')"
        ).fetchall():
            connection.execute(sql.SQL("drop schema {} cascade").format(sql.Identifier(schema)))
        _delete_by_columns(connection, "core", subject)
        connection.commit()


def _clean_identity(target: Warehouse, subject: Subject) -> None:
    """Who is who: state that outlives builds, and is told in marts. Cleaned before the build, which resolves anew."""
    learners = [*subject.learners, *(LEAD_PREFIX + lead for lead in subject.leads)]
    records = [
        *(f"learner:{learner}" for learner in subject.learners),
        *(f"lead:{lead}" for lead in subject.leads),
        *(f"contact:{contact}" for contact in subject.contacts),
    ]
    with target.connect(Role.TRANSFORMER) as connection:
        connection.execute("select pg_advisory_xact_lock(%s)", (LOCK_BUILD,))
        names = {
            "customers": subject.customers, "learners": learners, "leads": subject.leads,
            "contacts": subject.contacts, "records": records, "tokens": subject.tokens,
            "spent": PSEUDONYM_PREFIX + secrets.token_hex(8),
        }  # fmt: skip
        for statement in _IDENTITY:
            connection.execute(statement, names)
        connection.commit()


#: In this order: the number of the last customer is spent first, or the next one would get it.
_IDENTITY: tuple[LiteralString, ...] = (
    "insert into core.identity_registry (learner_id, customer_id, first_customer_id, registered_by_build)"
    " select %(spent)s, id, id, 'erasure' from ("
    " select 'C' || lpad((substring(max(customer_id), 2)::bigint + 1)::text, 9, '0') as id"
    " from core.identity_registry having max(customer_id) = any(%(customers)s)) as next",
    "delete from core.identity_registry where customer_id = any(%(customers)s) or learner_id = any(%(learners)s)",
    # Somebody else bore the number first, and does no longer.
    "update core.identity_registry set first_customer_id = customer_id where first_customer_id = any(%(customers)s)",
    "delete from core.identity_lead where lead_id = any(%(leads)s)",
    "delete from core.identity_contact where contact_id = any(%(contacts)s)",
    "delete from core.identity_key where record_id = any(%(records)s) or value = any(%(tokens)s)",
    # A name beside a key of somebody else.
    "update core.identity_key set learner = null where learner = any(%(tokens)s)",
    "update core.identity_key set guardian = null where guardian = any(%(tokens)s)",
    "delete from core.identity_record where record_id = any(%(records)s)",
    "delete from core.identity_link where who = any(%(records)s) or whom = any(%(records)s)",
    "delete from core.identity_shared_key where value = any(%(tokens)s)",
    "delete from core.identity_merge where from_id = any(%(customers)s) or into_id = any(%(customers)s)",
    "delete from core.identity_change where customer_id = any(%(customers)s)",
)


def _delete_by_columns(connection: Connection, schema: str, subject: Subject) -> None:
    for kind, endings in BUILT_COLUMNS.items():
        keys = getattr(subject, kind)
        for table, column in connection.execute(
            "select c.relname::text, a.attname::text from pg_attribute as a join pg_class as c on c.oid = a.attrelid"
            " where c.relnamespace = to_regnamespace(%s) and c.relkind = 'r' and a.attnum > 0"
            " and not a.attisdropped and a.attname::text like any(%s) and a.atttypid = 'text'::regtype",
            (schema, [f"%{ending}" for ending in endings]),
        ).fetchall():
            if keys:
                connection.execute(
                    sql.SQL("delete from {} where {} = any(%s)").format(
                        sql.Identifier(schema, table), sql.Identifier(column)
                    ),
                    (keys,),
                )
    for table, column in connection.execute(
        "select c.relname::text, a.attname::text from pg_attribute as a join pg_class as c on c.oid = a.attrelid"
        " where c.relnamespace = to_regnamespace(%s) and c.relkind = 'r' and a.attnum > 0 and a.atttypid = 'uuid'::regtype",
        (schema,),
    ).fetchall():
        connection.execute(
            sql.SQL("delete from {} where {} = any(%s::uuid[])").format(
                sql.Identifier(schema, table), sql.Identifier(column)
            ),
            (subject.tokens,),
        )


def _clean_meta(target: Warehouse, subject: Subject) -> None:
    with target.connect(Role.LOADER) as connection:
        noted = {**subject.keys, "customer": subject.customers, "contact_facts": subject.contacts}
        for kind, keys in noted.items():
            if kind != "order":
                connection.execute("delete from meta.touched where kind = %s and key = any(%s)", (kind, keys))
        # That somebody was looked up stays told; whom, does not.
        connection.execute(
            "update vault.look_up set customer_id = 'erased', list_name = case when customer_id = list_name"
            " then 'erased' else list_name end where customer_id = any(%s)",
            (subject.customers,),
        )
        names = [*subject.learners, *subject.leads, *subject.contacts]
        connection.execute(
            "update meta.manual_action set keys = array(select key from unnest(keys) as key where key <> all(%s))"
            " where keys && %s::text[]",
            (names, names),
        )
        connection.commit()


def _clean_scratch(target: Warehouse, subject: Subject) -> None:
    # Not as a login of its own: during a restore analysts are kept out until this is done.
    with target.connect(Role.ADMIN) as connection:
        connection.execute(sql.SQL("set local role {}").format(sql.Identifier(Role.ANALYST.login)))
        _delete_by_columns(connection, "scratch_analyst", subject)
        connection.commit()


# The ledger ----------------------------------------------------------------------------------------------


def _set_status(target: Warehouse, request_id: str, status: str) -> None:
    with target.connect(Role.LOADER) as connection:
        connection.execute(
            "update vault.erasure_request set status = %s where request_id = %s", (status, request_id)
        )
        connection.commit()


def _set_report(
    target: Warehouse, request: Request, found: list[Finding], files: list[str], status: str
) -> None:
    subject = request.subject or Subject()
    report = {
        "searched_for": {
            "tokens": len(subject.tokens),
            "values": len(subject.values),
            "customers": len(subject.customers),
            "learners": len(subject.learners),
            "leads": len(subject.leads),
            "contacts": len(subject.contacts),
        },
        "kept_without_identity": {"orders": len(subject.orders)},
        "files_removed": len(files),
        "found": [each.as_json() for each in found],
    }
    is_done = status == "honoured"
    with target.connect(Role.LOADER) as connection:
        connection.execute(
            "update vault.erasure_request set status = %(status)s, report = %(report)s::jsonb,"
            " honoured_at = case when %(done)s then clock_timestamp() end,"
            " subject = case when %(done)s then null else subject end,"
            " customer_id = case when %(done)s then null else customer_id end,"
            " learner_id = case when %(done)s then null else learner_id end"
            " where request_id = %(request)s",
            {"status": status, "report": json.dumps(report), "done": is_done, "request": request.request_id},
        )
        connection.commit()
