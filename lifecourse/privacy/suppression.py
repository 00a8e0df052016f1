"""Rows that must not come back: those that carry a key of an erased person (learner, lead, contact, order).

The merge asks here before it checks a landed batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from lifecourse.privacy.marks import mark
from lifecourse.privacy.policy import Links, Policy, links_of, policy_of
from lifecourse.sources.spec import SystemSpec, TableSpec

Connection = psycopg.Connection[Any]


@dataclass(frozen=True)
class SuppressedKeys:
    """Keys by kind and mark, with what takes their place."""

    pseudonyms: dict[tuple[str, bytes], str | None]

    @staticmethod
    def read(connection: Connection) -> SuppressedKeys:
        return SuppressedKeys(
            {
                (kind, bytes(key_hmac)): pseudonym
                for kind, key_hmac, pseudonym in connection.execute(
                    "select kind, key_hmac, pseudonym from vault.suppressed_key"
                )
            }
        )

    def among(self, kind: str, keys: list[str]) -> dict[str, str | None]:
        """Those of the keys that are suppressed, with their pseudonyms."""
        found = {}
        for key in keys:
            known = (kind, mark(kind, key))
            if known in self.pseudonyms:
                found[key] = self.pseudonyms[known]
        return found


def scrub_landing(connection: Connection, system: SystemSpec, table: TableSpec, landing: str) -> int:
    """Takes erased persons out of a landed batch; the rows that were taken out whole.

    Rows that accounting law keeps stay, under the pseudonym and without personal values.
    """
    links = links_of(table)
    if not links.by_kind or not connection.execute("select 1 from vault.suppressed_key limit 1").fetchone():
        return 0
    keys = SuppressedKeys.read(connection)
    relation = sql.Identifier("landing", landing)
    removed = 0
    for kind, columns in links.by_kind.items():
        for column in columns:
            there = [
                row[0]
                for row in connection.execute(
                    sql.SQL("select distinct {0}::text from {1} where {0} is not null").format(
                        sql.Identifier(column), relation
                    )
                )
            ]
            found = keys.among(kind, there)
            if found:
                removed += scrub(connection, relation, policy_of(system, table), links, kind, column, found)
    return removed


def scrub(
    connection: Connection,
    relation: sql.Composable,
    policy: Policy,
    links: Links,
    kind: str,
    column: str,
    keys: dict[str, str | None],
) -> int:
    """Applies the table's policy to the rows that carry one of the keys in the column; the rows removed."""
    named = {
        "relation": relation,
        "column": sql.Identifier(column),
        "keys": sql.Literal(list(keys)),
    }
    if policy.removes(kind, column):
        return connection.execute(
            sql.SQL("delete from {relation} where {column}::text = any({keys})").format(**named)
        ).rowcount
    if policy.leaves(kind, column):
        # Somebody else's row that names the person: the name goes, the row stays.
        connection.execute(
            sql.SQL("update {relation} set {column} = null where {column}::text = any({keys})").format(
                **named
            )
        )
        return 0
    cleared = [*links.personal, *(name for name in policy.cleared if name in links.columns)]
    assignments = [sql.SQL("{} = null").format(sql.Identifier(name)) for name in cleared if name != column]
    if kind == "learner":
        cases = sql.SQL(" ").join(
            sql.SQL("when {} then {}").format(sql.Literal(key), sql.Literal(pseudonym))
            for key, pseudonym in keys.items()
        )
        assignments.append(sql.SQL("{column} = case {column}::text {cases} end").format(cases=cases, **named))
    if assignments:
        connection.execute(
            sql.SQL("update {relation} set {assignments} where {column}::text = any({keys})").format(
                assignments=sql.SQL(", ").join(assignments), **named
            )
        )
    return 0


def drop_unknown_tokens(connection: Connection, table: TableSpec, landing: str, batch_id: int) -> None:
    """Empties tokens that the vault has forgotten while the batch was on its way."""
    columns = [name for name, column in table.columns.items() if column.postgres_type == "uuid"]
    if not columns:
        return
    crossed = connection.execute(
        "select 1 from vault.erasure_request as request join meta.batch as batch on batch.batch_id = %s"
        " where request.applied_at >= batch.started_at limit 1",
        (batch_id,),
    ).fetchone()
    if crossed is None:
        return
    for name in columns:
        connection.execute(
            sql.SQL(
                "update landing.{0} as landed set {1} = null where {1} is not null"
                " and not exists (select from vault.value where value.token = landed.{1})"
            ).format(sql.Identifier(landing), sql.Identifier(name))
        )
