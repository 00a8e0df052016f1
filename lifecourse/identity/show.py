"""What a demo shows of identity: a customer explained, and a link forbidden for as long as one looks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import psycopg
from rich.console import Console

from lifecourse.identity.cli import print_explanation
from lifecourse.identity.explain import Event, explain
from lifecourse.identity.resolve import resolve
from lifecourse.identity.rules import Pair, read_rules
from lifecourse.warehouse.connection import Role, Warehouse

#: A lead and a learner that nothing but name and birth date makes one person, the lead under another contact's name.
_JOINED_BY_NAME = """
select link.who, link.whom, registry.customer_id
from core.identity_link as link
join core.identity_registry as registry on registry.learner_id = link.who
join core.identity_registry as other on other.learner_id = substring(link.whom from 9)
where link.level = 'person' and link.who like 'lead:%' and link.whom like 'learner:%'
    and link.rule like any (array['name%', 'nickname%']) and registry.customer_id = other.customer_id
    and not exists (
        select from core.identity_link as sure
        where sure.who = link.who and sure.level = 'person' and sure.rule in ('explicit_learner', 'contract')
    )
order by link.rule = 'name_and_birth_date', length(link.who), link.who
limit 1
"""


class _Back(Exception):
    """Takes the trial back."""


def show(console: Console, at: Warehouse) -> None:
    """Prints a customer who was joined from records of two systems, and the same with the link forbidden."""
    with at.connect(Role.TRANSFORMER, autocommit=True) as connection:
        row = connection.execute(_JOINED_BY_NAME).fetchone()
        if row is None:
            return
        lead, learner, customer_id = row
        console.print(
            f"\n[bold]One customer[/] of records that no system links: scripts/lifecourse identity explain {customer_id}"
        )
        print_explanation(console, explain(connection, customer_id))
        console.print(
            f"With a forbidden link between {lead} and {learner}, and without it again (tried, and taken back):"
        )
        forbidden, event = apart(connection, lead, learner)
        for record, customer, account in forbidden:
            console.print(f"  forbidden: {record} is customer {customer} of account {account}")
        console.print(f"  allowed:   {event.from_id} was folded into {event.into_id} ({event.rule})")
        for level, event, rule, events in connection.execute(
            "select level, event, rule, count(*) from core.identity_merge group by level, event, rule order by 1, 2, 3"
        ):
            console.print(f"{events} times so far: {event} of two {level}s by {rule}")


def apart(
    connection: psycopg.Connection[tuple[Any, ...]], first: str, second: str
) -> tuple[list[tuple[str, str, str]], Event]:
    """Record, customer and account of two records if they were forbidden to be one person, and what happens when
    they are allowed again; nothing is kept of it.

    `connection` is in autocommit mode.
    """
    rules = read_rules()
    pair = Pair(first, second, "person")
    build = connection.execute(
        "select build_id, as_of, last_load_id from meta.build order by started_at desc limit 1"
    ).fetchone()
    assert build is not None
    build_id, as_of, last_load_id = build
    found: list[tuple[str, str, str]] = []
    try:
        with connection.transaction():
            forbidding = replace(rules, forbidden=(*rules.forbidden, pair))
            resolve(connection, build_id, as_of, last_load_id, full=True, rules=forbidding)
            found = [
                (record, customer, account)
                for record, customer, account in connection.execute(
                    """
                    select record_id, customer_id, account_id
                    from unnest(%s::text[]) as record_id
                    join core.identity_registry on learner_id = case
                        when record_id like 'learner:%%' then substring(record_id from 9) else record_id end
                    """,
                    ([first, second],),
                )
            ]
            resolve(connection, build_id, as_of, last_load_id, full=True, rules=rules)
            row = connection.execute(
                "select level, event, from_id, into_id, rule, happened_on from core.identity_merge"
                " where level = 'customer' order by event_no desc limit 1"
            ).fetchone()
            assert row is not None
            event = Event(*row)
            raise _Back
    except _Back:
        pass
    return found, event
