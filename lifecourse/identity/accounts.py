"""Accounts: connected components of records over the keys they share, in the database.

`affected` lists the records to group anew (whole accounts, with everybody whom a changed key could bind to them);
`label` is filled with a number per record, the same within an account.
"""

from __future__ import annotations

import psycopg
from psycopg import sql

from lifecourse.identity.gather import PAYERS
from lifecourse.identity.persons import Groups, order_of
from lifecourse.identity.rules import Rules

Connection = psycopg.Connection

_PAYERS = sql.SQL(", ").join(map(sql.Literal, PAYERS))

#: Which keys bind: those beside few people. A household number and an explicit link are the source's own word.
_USABLE = """
create temporary table key_use on commit drop as
select
    keys.kind, keys.value,
    count(distinct keys.learner) as learners, count(distinct keys.guardian) as guardians,
    count(distinct keys.record_id) as records
from core.identity_key as keys
join (
    select distinct known.kind, known.value
    from core.identity_key as known join affected on affected.record_id = known.record_id
    where known.kind <> 'forbidden'
) as asked on asked.kind = keys.kind and asked.value = keys.value
group by keys.kind, keys.value;

create temporary table crowd on commit drop as
select * from key_use
where kind in ('phone', 'unionid', 'email', 'contact')
    and (learners > {max_learners} or guardians > {max_guardians});

delete from core.identity_shared_key as known
using key_use where key_use.kind = known.kind and key_use.value = known.value;
insert into core.identity_shared_key (kind, value, learners, guardians, records)
select kind, value, learners, guardians, records from crowd;

create temporary table node on commit drop as
select affected.record_id, row_number() over () as node_no from affected;
alter table node add primary key (record_id);

create temporary table edge on commit drop as
select node.node_no, dense_rank() over (order by keys.kind, keys.value) as key_no, keys.source in ({payers}) as is_payer
from core.identity_key as keys
join node on node.record_id = keys.record_id
left join crowd on crowd.kind = keys.kind and crowd.value = keys.value
where keys.kind <> 'forbidden' and crowd.kind is null;
create index on edge (key_no);
create index on edge (node_no);

create temporary table label on commit drop as
select node_no, node_no as label from node;
alter table label add primary key (node_no);

analyze node;
analyze edge;
analyze label;
"""

_SPREAD = """
update label set label = lowest.label
from (
    select edge.node_no, min(of_key.label) as label
    from edge
    join (
        select edge.key_no, min(label.label) as label
        from edge join label on label.node_no = edge.node_no
        where {which}
        group by edge.key_no
    ) as of_key on of_key.key_no = edge.key_no
    where {which}
    group by edge.node_no
) as lowest
where lowest.node_no = label.node_no and lowest.label < label.label
"""

#: A label points at a node whose own label may be lower by now.
_JUMP = """
update label set label = lower.label
from label as lower
where lower.node_no = label.label and lower.label < label.label
"""

#: A payer's key binds contacts and leads to a learner's account, but never two accounts of learners: somebody may
#: pay for two households.
_PAYER_KEYS = """
alter table edge add column is_blocked boolean not null default false;
update edge set is_blocked = true
from (
    select edge.key_no
    from edge
    join label on label.node_no = edge.node_no
    join (
        select distinct label.label
        from label join node on node.node_no = label.node_no
        where node.record_id like 'learner:%'
    ) as of_learner on of_learner.label = label.label
    where edge.key_no in (select key_no from edge where is_payer)
    group by edge.key_no
    having count(distinct label.label) > 1
) as between_accounts
where between_accounts.key_no = edge.key_no and edge.is_payer
"""


def group(connection: Connection, rules: Rules) -> None:
    """Fill `account(record_id, account_no)` for the records in `affected`."""
    connection.execute(
        sql.SQL(_USABLE).format(
            max_learners=sql.Literal(rules.max_learners),
            max_guardians=sql.Literal(rules.max_guardians),
            payers=_PAYERS,
        )
    )
    _spread(connection, sql.SQL("not edge.is_payer"))
    connection.execute(_PAYER_KEYS)
    _spread(connection, sql.SQL("not edge.is_blocked"))
    _cut_forbidden(connection, rules)
    connection.execute(
        """
        create temporary table account on commit drop as
        select node.record_id, numbered.account_no
        from node
        join label on label.node_no = node.node_no
        join (
            select label, nextval('core.identity_account_no') as account_no
            from (select distinct label from label) as labels
        ) as numbered on numbered.label = label.label;
        alter table account add primary key (record_id);
        analyze account
        """
    )


def _spread(connection: Connection, which: sql.Composable) -> None:
    """Give every record the lowest label that it can be reached from."""
    spread = sql.SQL(_SPREAD).format(which=which)
    while connection.execute(spread).rowcount:
        while connection.execute(_JUMP).rowcount:
            pass


def _cut_forbidden(connection: Connection, rules: Rules) -> None:
    """Take accounts apart that hold a forbidden pair: the surest keys bind first, those that would join the two
    do not. Which key that is depends on the records alone, not on their order."""
    pairs = [pair for pair in rules.forbidden if pair.level == "account"]
    if not pairs:
        return
    labels = connection.execute(
        """
        select distinct one.label
        from unnest(%s::text[], %s::text[]) as pair (first, second)
        join node as first on first.record_id = pair.first join label as one on one.node_no = first.node_no
        join node as second on second.record_id = pair.second join label as other on other.node_no = second.node_no
        where one.label = other.label
        """,
        ([pair.first for pair in pairs], [pair.second for pair in pairs]),
    ).fetchall()
    sure = {"forced": 0, "learner": 1, "contact": 2, "household": 3, "unionid": 4, "phone": 5, "email": 6}
    for (label,) in labels:
        rows = connection.execute(
            """
            select node.record_id, keys.kind, keys.value, bool_and(keys.source = any(%s))
            from label
            join node on node.node_no = label.node_no
            join core.identity_key as keys on keys.record_id = node.record_id
            left join crowd on crowd.kind = keys.kind and crowd.value = keys.value
            where label.label = %s and keys.kind <> 'forbidden' and crowd.kind is null
            group by node.record_id, keys.kind, keys.value
            """,
            (list(PAYERS), label),
        ).fetchall()
        edges = sorted(
            (is_payer, sure[kind], kind, value, order_of(record)) for record, kind, value, is_payer in rows
        )
        keys = {f"key:{kind}:{value}" for _, _, kind, value, _ in edges}
        records = {record for record, *_ in rows}
        groups = Groups(records | keys, {frozenset((pair.first, pair.second)) for pair in pairs})
        for _, _, kind, value, (_, _, record) in edges:
            groups.join(record, f"key:{kind}:{value}")
        for members in groups.groups():
            nodes = [member for member in members if member in records]
            connection.execute(
                "update label set label = (select min(node_no) from node where record_id = any(%(those)s)) "
                "where node_no in (select node_no from node where record_id = any(%(those)s))",
                {"those": nodes},
            )
