"""Why records are one customer: what is held together, by which links, and which ids were folded into which.

Reads schema core as the transformer: ids, rules and tokens' columns, and no personal value.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import psycopg

from lifecourse.errors import LifecourseError

Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True)
class Event:
    """An id that was folded into another, or split off."""

    level: str
    event: str
    from_id: str
    into_id: str
    rule: str
    happened_on: date


@dataclass(frozen=True)
class Evidence:
    """A link between two records."""

    who: str
    whom: str
    level: str
    rule: str
    evidence: str
    strength: float
    first_seen_on: date


@dataclass(frozen=True)
class Explanation:
    """A customer as identity sees it. `customer_id` is the one that lives on, whichever was asked for."""

    asked: str
    customer_id: str
    account_id: str | None
    records: tuple[str, ...]
    #: Other customers of the account, with their records.
    beside: dict[str, tuple[str, ...]]
    contacts: tuple[str, ...]
    links: tuple[Evidence, ...]
    events: tuple[Event, ...]
    #: kind of the key, learners, guardians, records: keys of this customer that bind nobody.
    shared: tuple[tuple[str, int, int, int], ...]


def explain(connection: Connection, customer_id: str) -> Explanation:
    """What is known of a customer id, of one that was folded into another too; `LifecourseError` if nothing is."""
    asked, seen = customer_id, {customer_id}
    while not connection.execute(
        "select 1 from core.identity_registry where customer_id = %s limit 1", (customer_id,)
    ).fetchone():
        row = connection.execute(
            "select into_id from core.identity_merge where level = 'customer' and event = 'merge' and from_id = %s"
            " order by event_no desc limit 1",
            (customer_id,),
        ).fetchone()
        if row is None or row[0] in seen:
            raise LifecourseError(
                "no such customer", asked, "take a customer_id of marts.dim_customer, e.g. C000000042"
            )
        customer_id = row[0]
        seen.add(customer_id)
    members = connection.execute(
        """
        with

        asked as (
            select distinct customer_id, account_id from core.identity_registry where customer_id = %s
        )

        select registry.customer_id, registry.account_id,
            case when registry.learner_id like 'lead:%%' then registry.learner_id
                else 'learner:' || registry.learner_id end as record_id
        from asked
        join core.identity_registry as registry
            on registry.customer_id = asked.customer_id or registry.account_id = asked.account_id
        order by registry.customer_id, length(registry.learner_id), registry.learner_id
        """,
        (customer_id,),
    ).fetchall()
    there = {
        row[0]
        for row in connection.execute(
            "select record_id from core.identity_record where record_id = any(%s)",
            ([record for *_, record in members],),
        )
    }
    by_customer: dict[str, list[str]] = {}
    for customer, _, record in members:
        if record in there:
            by_customer.setdefault(customer, []).append(record)
    account_id = next((account for customer, account, _ in members if customer == customer_id), None)
    contacts = tuple(
        f"contact:{contact}"
        for (contact,) in connection.execute(
            "select contact_id from core.identity_contact where account_id = %s"
            " order by length(contact_id), contact_id",
            (account_id,),
        )
    )
    records = tuple(by_customer.pop(customer_id, ()))
    links = connection.execute(
        """
        select who, whom, level, rule, evidence, strength::float8, first_seen_on from core.identity_link
        where who = any(%(records)s) or whom = any(%(records)s)
        order by level desc, strength desc, who, whom, rule
        """,
        {"records": list(records)},
    ).fetchall()
    ids = sorted(seen | ({account_id} if account_id else set()))
    events = connection.execute(
        "select level, event, from_id, into_id, rule, happened_on from core.identity_merge"
        " where from_id = any(%(ids)s) or into_id = any(%(ids)s) order by event_no",
        {"ids": ids},
    ).fetchall()
    shared = connection.execute(
        """
        select distinct crowd.kind, crowd.learners, crowd.guardians, crowd.records
        from core.identity_key as keys
        join core.identity_shared_key as crowd on crowd.kind = keys.kind and crowd.value = keys.value
        where keys.record_id = any(%s)
        order by 1
        """,
        (list(records),),
    ).fetchall()
    return Explanation(
        asked, customer_id, account_id, records,
        {customer: tuple(those) for customer, those in by_customer.items()}, contacts,
        tuple(Evidence(*row) for row in links),
        tuple(Event(*row) for row in events), tuple(shared),
    )  # fmt: skip
