"""Who a person is in the sources: the keys under which the warehouse holds anything about them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import psycopg
from psycopg import sql

from lifecourse.errors import LifecourseError
from lifecourse.loading import ddl
from lifecourse.privacy.marks import PSEUDONYM_PREFIX
from lifecourse.privacy.policy import Links, Policy, links_of, policy_of
from lifecourse.sources.spec import SystemSpec, TableSpec, load_systems
from lifecourse.warehouse.connection import Role, Warehouse

Connection = psycopg.Connection[Any]

#: Begins the learner id of a prospect, whom only an enquiry names (lifecourse.identity).
LEAD_PREFIX = "lead:"
#: Where rows of a source table lie; landed batches come and go and are looked at by themselves.
HELD_IN = ("raw", "raw_history", "quarantine")


@dataclass(frozen=True)
class HeldTable:
    """A source table that may hold something of a person, with what leads to it."""

    system: SystemSpec
    table: TableSpec
    links: Links
    policy: Policy

    @property
    def relation(self) -> str:
        return ddl.relation(self.system, self.table)


@dataclass
class Subject:
    """Keys of one person, by kind. `pseudonyms`: what takes a learner's place in rows that are kept."""

    customers: list[str] = field(default_factory=list)
    learners: list[str] = field(default_factory=list)
    leads: list[str] = field(default_factory=list)
    contacts: list[str] = field(default_factory=list)
    orders: list[str] = field(default_factory=list)
    pseudonyms: dict[str, str] = field(default_factory=dict)
    #: While the request is being honoured: what its proof looks for. Emptied afterwards.
    tokens: list[str] = field(default_factory=list)
    values: list[tuple[str, str]] = field(default_factory=list)

    @property
    def keys(self) -> dict[str, list[str]]:
        return {
            "learner": self.learners,
            "lead": self.leads,
            "contact": self.contacts,
            "order": self.orders,
        }

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def held_tables(connection: Connection, with_orders: bool = False) -> Iterator[HeldTable]:
    """The source tables with a way to a person that are there in raw; `with_orders`: by an order too, no more."""
    there = {
        name
        for (name,) in connection.execute("select tablename::text from pg_tables where schemaname = 'raw'")
    }
    for system in load_systems().values():
        for table in system.tables:
            links = links_of(table)
            leads_there = links.by_kind or (with_orders and "order_id" in table.columns)
            if leads_there and ddl.relation(system, table) in there:
                yield HeldTable(system, table, links, policy_of(system, table))


def find(of: Warehouse, customer_id: str | None = None, learner_id: str | None = None) -> Subject:
    """The keys of a customer, or of a learner of the teaching system.

    A contact belongs to the person only if no enquiry, word or message of anybody else comes from it. Raises
    `LifecourseError` where nobody has that id.
    """
    customers, learners, leads = _registered(of, customer_id, learner_id)
    with of.connect(Role.LOADER) as connection:
        tables = list(held_tables(connection))
        subject = Subject(customers=customers, learners=learners, leads=leads)
        subject.leads += _linked(connection, tables, "learner", subject.learners, "lead", subject.leads)
        subject.contacts += _linked(connection, tables, "learner", subject.learners, "contact", [])
        subject.contacts += _linked(connection, tables, "lead", subject.leads, "contact", subject.contacts)
        shared = _shared_contacts(connection, tables, subject)
        subject.contacts = [contact for contact in subject.contacts if contact not in shared]
        subject.orders = _orders(connection, tables, subject.learners)
        connection.rollback()
        known = _is_known(connection, tables, subject)
    if not known:
        raise LifecourseError(
            "nobody has this id",
            f"customer {customer_id}" if customer_id else f"learner {learner_id}",
            "look it up in marts.dim_customer, or give the learner's number of the teaching system",
        )
    return subject


def _registered(
    of: Warehouse, customer_id: str | None, learner_id: str | None
) -> tuple[list[str], list[str], list[str]]:
    """Customers, learners and leads as the last build knows them."""
    learners = [learner_id] if learner_id else []
    customers = [customer_id] if customer_id else []
    leads: list[str] = []
    with of.connect(Role.TRANSFORMER) as connection:
        if _exists(connection, "core.identity_registry"):
            rows = connection.execute(
                "select learner_id, customer_id from core.identity_registry where customer_id in ("
                " select customer_id from core.identity_registry where customer_id = any(%s) or learner_id = any(%s))",
                (customers, learners),
            ).fetchall()
            learners = sorted({*learners, *(learner for learner, _ in rows)})
            customers = sorted({customer for _, customer in rows}) or customers
        if learners and _exists(connection, "core.identity_lead"):
            leads = [
                row[0]
                for row in connection.execute(
                    "select lead_id from core.identity_lead where learner_id = any(%s)", (learners,)
                )
            ]
        connection.rollback()
    # A prospect is known by the enquiry alone, and what was kept of the erased by a pseudonym.
    leads += [learner.removeprefix(LEAD_PREFIX) for learner in learners if learner.startswith(LEAD_PREFIX)]
    learners = [learner for learner in learners if not learner.startswith((PSEUDONYM_PREFIX, LEAD_PREFIX))]
    return customers, learners, sorted(set(leads))


def _exists(connection: Connection, relation: str) -> bool:
    return connection.execute("select to_regclass(%s) is not null", (relation,)).fetchone() == (True,)


def _selects(
    tables: list[HeldTable], kind: str, other: str
) -> Iterator[tuple[HeldTable, sql.Identifier, sql.Identifier, sql.Identifier]]:
    """Relation and columns of every table that has keys of both kinds, a pair that names the same person."""
    for held in tables:
        mine = [name for name in held.links.by_kind.get(kind, []) if not held.policy.leaves(kind, name)]
        theirs = [name for name in held.links.by_kind.get(other, []) if name not in held.policy.others]
        if held.table.maps_to == "contracts":
            # A contract names the enquiry and the contact that it came of.
            theirs = held.links.by_kind.get(other, [])
        for schema in HELD_IN:
            for one in mine:
                for another in theirs:
                    yield (
                        held,
                        sql.Identifier(schema, held.relation),
                        sql.Identifier(one),
                        sql.Identifier(another),
                    )


def _linked(
    connection: Connection, tables: list[HeldTable], kind: str, keys: list[str], other: str, known: list[str]
) -> list[str]:
    """Keys of another kind that stand in the same rows."""
    found: set[str] = set()
    if keys:
        for _, relation, mine, theirs in _selects(tables, kind, other):
            found |= {
                row[0]
                for row in connection.execute(
                    sql.SQL(
                        "select distinct {theirs}::text from {relation}"
                        " where {mine}::text = any(%s) and {theirs} is not null"
                    ).format(theirs=theirs, relation=relation, mine=mine),
                    (keys,),
                )
            }
    return sorted(found - set(known))


def _shared_contacts(connection: Connection, tables: list[HeldTable], subject: Subject) -> set[str]:
    """Contacts that stand in a row of another learner, or of another enquiry."""
    shared: set[str] = set()
    for kind, keys in (("learner", subject.learners), ("lead", subject.leads)):
        for _, relation, mine, theirs in _selects(tables, kind, "contact"):
            shared |= {
                row[0]
                for row in connection.execute(
                    sql.SQL(
                        "select distinct {theirs}::text from {relation} where {theirs}::text = any(%s)"
                        " and {mine} is not null and {mine}::text <> all(%s)"
                    ).format(theirs=theirs, relation=relation, mine=mine),
                    (subject.contacts, keys),
                )
            }
    return shared


def _orders(connection: Connection, tables: list[HeldTable], learners: list[str]) -> list[str]:
    found: set[str] = set()
    for held in tables:
        if "order_id" not in held.table.columns or "learner" not in held.links.by_kind:
            continue
        for schema in HELD_IN:
            for column in held.links.by_kind["learner"]:
                found |= {
                    row[0]
                    for row in connection.execute(
                        sql.SQL(
                            "select distinct order_id::text from {} where {}::text = any(%s) and order_id is not null"
                        ).format(sql.Identifier(schema, held.relation), sql.Identifier(column)),
                        (learners,),
                    )
                }
    return sorted(found)


def _is_known(connection: Connection, tables: list[HeldTable], subject: Subject) -> bool:
    if subject.leads or subject.contacts or subject.orders:
        return True
    for held in tables:
        for column in held.links.by_kind.get("learner", []):
            for schema in HELD_IN:
                if connection.execute(
                    sql.SQL("select 1 from {} where {}::text = any(%s) limit 1").format(
                        sql.Identifier(schema, held.relation), sql.Identifier(column)
                    ),
                    (subject.learners,),
                ).fetchone():
                    return True
    return False
