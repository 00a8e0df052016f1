"""The ids of persons and accounts: given once, claimed again by those who bore them first, never used twice.

A group takes the lowest of the ids that its members were given when they were first seen. If two groups claim one
id (a person was split), the one with the learner, then the first record, keeps it; the other takes another that its
members bore, else a new one. So a merge that is undone gives everybody the id of before.
"""

from __future__ import annotations

import psycopg
from psycopg import sql

Connection = psycopg.Connection

#: `member(learner_id, record_id, person_no, account_no)` -> `{level}_id_of(group_no, id, is_new)`.
_ASSIGN = """
create temporary table {table} on commit drop as
with

firsts as (
    select member.{group} as group_no, registry.{first} as id, member.learner_id, member.record_id
    from member
    join core.identity_registry as registry on registry.learner_id = member.learner_id
    where registry.{first} is not null
),

taken as (
    -- By somebody who is not grouped anew this time.
    select registry.{current} as id
    from core.identity_registry as registry
    where registry.{current} in (select id from firsts)
        and not exists (select from member where member.learner_id = registry.learner_id)
),

claims as (
    select firsts.*, row_number() over (
        partition by id order by record_id like 'learner:%' desc, length(learner_id), learner_id
    ) as place
    from firsts
    where id not in (select id from taken)
),

kept as (
    select group_no, min(id) as id from claims where place = 1 group by group_no
),

nameless as (
    select group_no, row_number() over (order by min(place)) as number
    from (
        select {group} as group_no, row_number() over (
            order by record_id like 'learner:%' desc, length(learner_id), learner_id
        ) as place
        from member
        where {group} is not null
    ) as placed
    where group_no not in (select group_no from kept)
    group by group_no
),

last_number as (
    select coalesce(max(cast(substring(id, 2) as bigint)), 0) as number
    from (
        select {current} as id from core.identity_registry
        union all
        select {first} from core.identity_registry
        union all
        -- An id that was folded away comes back to those who bore it or to nobody.
        select from_id from core.identity_merge where level = '{level}'
        union all
        select into_id from core.identity_merge where level = '{level}'
    ) as ids
    where id ~ '^[A-Z][0-9]+$'
)

select group_no, id, false as is_new from kept
union all
select nameless.group_no, '{letter}' || lpad((last_number.number + nameless.number)::text, 9, '0'), true
from nameless cross join last_number
"""


def assign(connection: Connection, level: str) -> None:
    """Fill ``customer_id_of`` or ``account_id_of`` (group_no, id, is_new) from `member`."""
    names = {
        "customer": ("customer_id_of", "person_no", "first_customer_id", "customer_id", "C"),
        "account": ("account_id_of", "account_no", "first_account_id", "account_id", "A"),
    }
    table, group, first, current, letter = names[level]
    statement = _ASSIGN.format(
        table=table, group=group, first=first, current=current, letter=letter, level=level
    )
    connection.execute(statement.encode())
    connection.execute(sql.SQL("analyze {}").format(sql.Identifier(table)))
