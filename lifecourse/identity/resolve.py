"""A run of identity: records that changed are grouped anew with everybody whom they may touch, and ids follow.

One transaction, under the build's lock. A full run looks at every record, an incremental one at those that loads
touched since the last run; both end with the same accounts and persons, up to the names of ids that are new.
"""

from __future__ import annotations

import hashlib
import logging
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from lifecourse.identity import accounts, gather, registry
from lifecourse.identity.gather import PAYERS
from lifecourse.identity.persons import Link, Record, persons
from lifecourse.identity.rules import Rules, read_rules
from lifecourse.settings import settings
from lifecourse.warehouse.migrations import found

log = logging.getLogger(__name__)

#: Temporary tables of a run, gone with its transaction, or with the next run in it.
_TEMPORARY = (
    "asked", "fresh_person", "fresh_key", "fresh", "pair_key", "changed_record", "changed_key", "former", "affected",
    "key_use", "crowd", "node", "edge", "label", "account", "person", "member", "lead_learner", "customer_id_of",
    "account_id_of", "moved", "made",
)  # fmt: skip

Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True)
class Resolved:
    """What a run did."""

    is_full: bool
    records: int
    merges: int
    splits: int
    changed_customers: int


def resolve(
    connection: Connection,
    build_id: str,
    as_of: date,
    last_load_id: int,
    canonical: str = "canonical",
    full: bool = False,
    rules: Rules | None = None,
    project_dir: Path | None = None,
) -> Resolved:
    """Bring accounts, persons and their ids up to the loads up to `last_load_id`.

    `as_of` and `build_id` are written beside links and events that are new. The caller holds the build lock.
    """
    rules = rules or read_rules(project_dir)
    with connection.transaction():
        connection.execute("set local client_min_messages = warning")
        connection.execute("set local jit = off")
        for name in _TEMPORARY:
            connection.execute(f"drop table if exists pg_temp.{name}".encode())
        # What is published needs no telling again.
        connection.execute(
            "delete from core.identity_change where load_id <= (select last_load_id from meta.publication"
            " where rolled_back_at is null order by publication_id desc limit 1)"
        )
        row = connection.execute("select last_load_id from core.identity_run").fetchone()
        mark = f"How far identity has come, by code {_code_hash()}."
        # Another code or other rules group otherwise: whom it concerns is found by comparing everybody.
        is_full = full or row is None or mark_of(connection) != mark
        gather.open_tables(connection, rules)
        if is_full:
            gather.ask_all(connection, canonical)
        else:
            gather.ask_touched(connection, canonical, row[0] if row else 0)
        gather.read(connection, canonical)
        _keep_records(connection, is_full)
        _find_affected(connection, is_full)
        if not is_full:
            gather.empty(connection)
            connection.execute(
                "insert into asked select record_id, split_part(record_id, ':', 1), "
                "substring(record_id from position(':' in record_id) + 1) from affected"
            )
            gather.read(connection, canonical)
        accounts.group(connection, rules)
        links = _group_persons(connection, rules)
        _keep_groups(connection, is_full)
        merges, splits, changed = _keep_ids(connection, build_id, as_of, last_load_id)
        _keep_links(connection, links, rules, build_id, as_of)
        connection.execute(
            "insert into core.identity_run (last_load_id) values (%s) "
            "on conflict (only_row) do update set last_load_id = excluded.last_load_id",
            (last_load_id,),
        )
        connection.execute(sql.SQL("comment on table core.identity_run is {}").format(sql.Literal(mark)))
        (records,) = connection.execute("select count(*) from affected").fetchone() or (0,)
    if is_full:
        for table in ("registry", "lead", "contact", "key", "record", "link"):
            connection.execute(f"analyze core.identity_{table}".encode())
    log.info(
        "identity: %d records looked at, %d merges, %d splits, %d customers changed",
        records, merges, splits, changed,
    )  # fmt: skip
    return Resolved(is_full, records, merges, splits, changed)


def _code_hash() -> str:
    """Hash of the code that groups records, and of its seeds."""
    digest = hashlib.sha256()
    for path in (
        *sorted(Path(__file__).parent.glob("*.py")),
        *sorted((settings().dbt_project_dir / "seeds" / "identity").glob("*.csv")),
    ):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def mark_of(connection: Connection) -> str | None:
    """How far identity has come and by which code and rules: the mark that its last run left."""
    row = connection.execute("select obj_description('core.identity_run'::regclass, 'pg_class')").fetchone()
    return row[0] if row else None


def register_only(connection: Connection, canonical: str = "canonical") -> None:
    """The tables of identity in a database that has none, every learner id a customer of its own and nothing
    compared: for books that know learners by their ids only."""
    (migration,) = [each for each in found() if each.name == "identity"]
    connection.execute(migration.text.replace("set local role lifecourse_transformer;", "").encode())
    connection.execute(
        f"""
        insert into core.identity_registry (learner_id, customer_id, first_customer_id, registered_by_build)
        select learner_id, customer_id, customer_id, 'books' from (
            select learner_id, 'C' || lpad(
                (row_number() over (order by length(learner_id), learner_id))::text, 9, '0'
            ) as customer_id
            from (
                select learner_id from {canonical}.learners
                union select learner_id from {canonical}.enrolments
                union select learner_id from {canonical}.orders
                union select learner_id from {canonical}.leads
            ) as named where learner_id is not null
        ) as numbered
        """.encode()
    )


def _keep_records(connection: Connection, is_full: bool) -> None:
    """Exchange the keys of records that changed or went; `changed_record` lists them, `changed_key` their keys."""
    connection.execute(
        """
        create temporary table changed_record on commit drop as
        select asked.record_id
        from asked
        left join fresh on fresh.record_id = asked.record_id
        left join core.identity_record as known on known.record_id = asked.record_id
        where fresh.fingerprint is distinct from known.fingerprint
        """
    )
    if is_full:
        connection.execute(
            """
            insert into changed_record
            select known.record_id from core.identity_record as known
            where not exists (select from fresh where fresh.record_id = known.record_id)
                and not exists (select from changed_record as changed where changed.record_id = known.record_id)
            """
        )
    connection.execute(
        """
        analyze changed_record;
        create temporary table changed_key on commit drop as
        select keys.kind, keys.value
        from changed_record join core.identity_key as keys on keys.record_id = changed_record.record_id
        union
        select keys.kind, keys.value
        from changed_record join fresh_key as keys on keys.record_id = changed_record.record_id;

        create temporary table former on commit drop as
        select distinct known.account_no
        from changed_record join core.identity_record as known on known.record_id = changed_record.record_id
        where known.account_no is not null;

        delete from core.identity_key as known
        using changed_record where changed_record.record_id = known.record_id;
        insert into core.identity_key (record_id, kind, value, source, learner, guardian)
        select keys.* from fresh_key as keys join changed_record on changed_record.record_id = keys.record_id;

        delete from core.identity_record as known
        using changed_record where changed_record.record_id = known.record_id;
        insert into core.identity_record (record_id, kind, fingerprint)
        select fresh.* from fresh join changed_record on changed_record.record_id = fresh.record_id;

        delete from core.identity_link as known
        using changed_record where changed_record.record_id = known.who
            and not exists (select from fresh where fresh.record_id = known.who)
        """
    )


def _find_affected(connection: Connection, is_full: bool) -> None:
    """`affected`: records to group anew. Whoever holds a key that changed, and their whole accounts; then accounts
    that share a payer's key or a forbidden pair with these, since whether such a key binds depends on both sides."""
    if is_full:
        connection.execute(
            "create temporary table affected on commit drop as select record_id from core.identity_record"
        )
    else:
        connection.execute(
            """
            create temporary table affected (record_id text primary key) on commit drop;
            insert into affected
            select record_id from changed_record
            where record_id in (select record_id from core.identity_record)
            union
            select keys.record_id
            from changed_key join core.identity_key as keys
                on keys.kind = changed_key.kind and keys.value = changed_key.value
            """
        )
        _whole_accounts(connection)
        bridges = """
            insert into affected
            select distinct beside.record_id
            from affected
            join core.identity_key as keys on keys.record_id = affected.record_id
            join core.identity_key as beside on beside.kind = keys.kind and beside.value = keys.value
            where (keys.kind = 'forbidden' or keys.source = any(%(payers)s) or beside.source = any(%(payers)s))
                and not exists (select from affected as known where known.record_id = beside.record_id)
            on conflict do nothing
            """
        while connection.execute(bridges, {"payers": list(PAYERS)}).rowcount:
            _whole_accounts(connection)
    connection.execute("analyze affected")


def _whole_accounts(connection: Connection) -> None:
    connection.execute(
        """
        insert into affected
        select record.record_id
        from core.identity_record as record
        where record.account_no in (
            select known.account_no
            from affected join core.identity_record as known on known.record_id = affected.record_id
            where known.account_no is not null
            union
            select account_no from former
        )
        on conflict do nothing
        """
    )


def _group_persons(connection: Connection, rules: Rules) -> list[Link]:
    """Fill `person(record_id, person_no)`; the links between persons' records."""
    forced = [(pair.first, pair.second) for pair in rules.forced if pair.level == "person"]
    forbidden = {frozenset((pair.first, pair.second)) for pair in rules.forbidden if pair.level == "person"}
    marked = {record for pair in (*forced, *forbidden) for record in pair}
    connection.execute("create temporary table person (record_id text, person_no bigint) on commit drop")
    links: list[Link] = []
    number = 0
    with connection.cursor(name="accounts") as reading:
        reading.itersize = 20_000
        reading.execute(
            """
            select account.account_no, person.record_id, person.learner_id, person.learner_rule, person.name,
                person.core, person.is_nickname, person.nickname, person.birth, person.swapped
            from account join fresh_person as person on person.record_id = account.record_id
            where person.kind <> 'contact'
            order by account.account_no
            """
        )
        of_record: list[tuple[str, int]] = []
        for _, rows in groupby(reading, key=lambda row: row[0]):
            records = [Record(*row[1:]) for row in rows]
            is_marked = bool(marked) and any(record.record_id in marked for record in records)
            groups, made = persons(records, forced if is_marked else (), forbidden if is_marked else ())
            links += made
            for group in groups:
                number += 1
                of_record += ((record, number) for record in group)
    with connection.cursor() as cursor, cursor.copy("copy person (record_id, person_no) from stdin") as copy:
        for row in of_record:
            copy.write_row(row)
    connection.execute("analyze person")
    return links


def _keep_groups(connection: Connection, is_full: bool) -> None:
    """Accounts into the records, and `member`: learners and leads under the ids by which the models know them."""
    connection.execute(
        """
        update core.identity_record as record set account_no = account.account_no
        from account where account.record_id = record.record_id;

        create temporary table member on commit drop as
        select
            case when person.record_id like 'learner:%' then substring(person.record_id from 9)
                else person.record_id end as learner_id,
            person.record_id, person.person_no, account.account_no
        from person join account on account.record_id = person.record_id;
        alter table member add primary key (learner_id);
        analyze member;

        -- The learner that a lead names, if it is of the same person; else the first; without one, the lead itself.
        create temporary table lead_learner on commit drop as
        select
            substring(member.record_id from 6) as lead_id,
            coalesce(max(learner.learner_id) filter (where learner.learner_id = fresh_person.learner_id),
                (array_agg(learner.learner_id order by length(learner.learner_id), learner.learner_id))[1],
                member.record_id) as learner_id
        from member
        join fresh_person on fresh_person.record_id = member.record_id
        left join member as learner
            on learner.person_no = member.person_no and learner.record_id like 'learner:%'
        where member.record_id like 'lead:%'
        group by member.record_id;
        alter table lead_learner add primary key (lead_id);
        analyze lead_learner
        """
    )


def _keep_ids(connection: Connection, build_id: str, as_of: date, last_load_id: int) -> tuple[int, int, int]:
    """Registry, leads, contacts, merges and splits, and whom the models have to compute anew."""
    for level in ("customer", "account"):
        registry.assign(connection, level)
    connection.execute(
        """
        create temporary table moved on commit drop as
        select
            member.learner_id, known.customer_id as old_customer_id, customers.id as customer_id,
            known.account_id as old_account_id, accounts.id as account_id,
            known.first_customer_id, known.first_account_id, customers.is_new as is_new_customer,
            accounts.is_new as is_new_account
        from member
        join customer_id_of as customers on customers.group_no = member.person_no
        join account_id_of as accounts on accounts.group_no = member.account_no
        left join core.identity_registry as known on known.learner_id = member.learner_id
        where known.learner_id is null or known.customer_id <> customers.id
            or known.account_id is distinct from accounts.id;
        analyze moved
        """
    )
    connection.execute(
        """
        insert into core.identity_registry
            (learner_id, customer_id, account_id, first_customer_id, first_account_id, registered_by_build)
        select learner_id, customer_id, account_id, customer_id, account_id, %s from moved
        on conflict (learner_id) do update set
            customer_id = excluded.customer_id,
            account_id = excluded.account_id,
            -- Who was split off and found no id of its own bears the new one from now on.
            first_customer_id = case
                when excluded.customer_id in (select id from customer_id_of where is_new) then excluded.customer_id
                else identity_registry.first_customer_id
            end,
            first_account_id = case
                when excluded.account_id in (select id from account_id_of where is_new) then excluded.account_id
                else coalesce(identity_registry.first_account_id, excluded.account_id)
            end
        """,
        (build_id,),
    )
    merges = splits = 0
    for level in ("customer", "account"):
        rows = connection.execute(
            f"""
            insert into core.identity_merge (level, event, from_id, into_id, rule, happened_on, build_id)
            select '{level}', event, old_id, new_id, '', %s, %s
            from (
                select distinct old_{level}_id as old_id, {level}_id as new_id,
                    case when exists (
                        select from core.identity_registry as still where still.{level}_id = moved.old_{level}_id
                    ) then 'split' else 'merge' end as event
                from moved
                where old_{level}_id is not null and old_{level}_id <> {level}_id
            ) as events
            order by old_id, new_id
            returning event
            """.encode(),
            (as_of, build_id),
        ).fetchall()
        merges += sum(event == "merge" for (event,) in rows)
        splits += sum(event == "split" for (event,) in rows)
    changed = connection.execute(
        """
        with

        led as (
            select lead_learner.lead_id
            from lead_learner
            join core.identity_lead as known on known.lead_id = lead_learner.lead_id
            where known.learner_id <> lead_learner.learner_id
        ),

        customers as (
            select old_customer_id as customer_id from moved where old_customer_id is not null
            union
            select customer_id from moved where old_customer_id is not null
            union
            select registry.customer_id
            from led join core.identity_registry as registry on registry.learner_id = 'lead:' || led.lead_id
        )

        insert into core.identity_change (customer_id, load_id)
        select customer_id, %s from customers
        on conflict do nothing
        """,
        (last_load_id,),
    ).rowcount
    connection.execute(
        """
        insert into core.identity_lead as known (lead_id, learner_id)
        select lead_id, learner_id from lead_learner
        on conflict (lead_id) do update set learner_id = excluded.learner_id
        where known.learner_id <> excluded.learner_id;

        delete from core.identity_contact as known
        where known.contact_id in (
            select substring(record_id from 9) from changed_record where record_id like 'contact:%'
        );
        insert into core.identity_contact as known (contact_id, account_id)
        select substring(account.record_id from 9), accounts.id
        from account left join account_id_of as accounts on accounts.group_no = account.account_no
        where account.record_id like 'contact:%'
        on conflict (contact_id) do update set account_id = excluded.account_id
        where known.account_id is distinct from excluded.account_id
        """
    )
    return merges, splits, changed


#: By which rule a key of each kind binds.
_RULE_OF = {
    "contact": "same_contact", "phone": "same_phone", "unionid": "same_unionid", "email": "same_email",
    "household": "same_household", "forced": "forced", "learner": "explicit_learner",
}  # fmt: skip


def _keep_links(connection: Connection, links: list[Link], rules: Rules, build_id: str, as_of: date) -> None:
    """Exchange the links of the affected records; those that stay keep the day they were first seen."""
    connection.execute(
        """
        create temporary table made (
            who text, whom text, level text, rule text, evidence text, strength numeric(4, 3)
        ) on commit drop
        """
    )
    with connection.cursor() as cursor, cursor.copy("copy made from stdin") as copy:
        for link in links:
            copy.write_row(
                (link.who, link.whom, "person", link.rule, "records of one account",
                 rules.strengths.get((link.rule, "person"), 0))
            )  # fmt: skip
    # Every holder of a key is linked to the first one within the account.
    rows = connection.execute(
        """
        select distinct holder.record_id, hub.record_id, holder.kind, holder.source, hub.source
        from (
            select keys.*, account.account_no,
                first_value(keys.record_id) over (
                    partition by account.account_no, keys.kind, keys.value
                    order by keys.record_id not like 'learner:%%', length(keys.record_id), keys.record_id,
                        keys.source = any(%(payers)s), keys.source
                ) as hub_id,
                first_value(keys.source) over (
                    partition by account.account_no, keys.kind, keys.value
                    order by keys.record_id not like 'learner:%%', length(keys.record_id), keys.record_id,
                        keys.source = any(%(payers)s), keys.source
                ) as hub_source
            from affected
            join core.identity_key as keys on keys.record_id = affected.record_id
            join account on account.record_id = keys.record_id
            left join crowd on crowd.kind = keys.kind and crowd.value = keys.value
            where keys.kind <> 'forbidden' and crowd.kind is null
        ) as holder
        cross join lateral (select holder.hub_id as record_id, holder.hub_source as source) as hub
        where holder.record_id <> hub.record_id
        """,
        {"payers": list(PAYERS)},
    )
    with connection.cursor() as cursor:
        made = list(_account_links(rows, rules))
        with cursor.copy("copy made from stdin") as copy:
            for row in made:
                copy.write_row(row)
    connection.execute(
        """
        analyze made;
        delete from core.identity_link as known
        using affected
        where affected.record_id = known.who and not exists (
            select from made
            where made.who = known.who and made.whom = known.whom and made.level = known.level
                and made.rule = known.rule and made.evidence = known.evidence
        )
        """
    )
    connection.execute(
        """
        insert into core.identity_link (who, whom, level, rule, evidence, strength, first_seen_on, first_seen_build)
        select distinct on (who, whom, level, rule, evidence) who, whom, level, rule, evidence, strength, %s, %s
        from made
        on conflict do nothing
        """,
        (as_of, build_id),
    )
    # By which rule: the surest of the new links between those who had the two ids.
    for level, name in (("customer", "person"), ("account", "account")):
        connection.execute(
            f"""
            update core.identity_merge as event
            set rule = coalesce(
                (
                    select link.rule
                    from core.identity_link as link
                    join moved as who on who.learner_id = case when link.who like 'learner:%%'
                        then substring(link.who from 9) else link.who end
                    where link.level = '{name}' and link.first_seen_build = %(build)s
                        and who.old_{level}_id = event.from_id and who.{level}_id = event.into_id
                    order by link.strength desc, link.rule
                    limit 1
                ),
                (
                    select link.rule
                    from core.identity_link as link
                    join moved as whom on whom.learner_id = case when link.whom like 'learner:%%'
                        then substring(link.whom from 9) else link.whom end
                    where link.level = '{name}' and link.first_seen_build = %(build)s
                        and whom.old_{level}_id = event.from_id and whom.{level}_id = event.into_id
                    order by link.strength desc, link.rule
                    limit 1
                ),
                case when event.event = 'split' then 'link_gone' else 'joined_through_others' end
            )
            where event.rule = '' and event.level = '{level}'
            """.encode(),
            {"build": build_id},
        )


def _account_links(
    rows: psycopg.Cursor[tuple[Any, ...]], rules: Rules
) -> Iterator[tuple[str, str, str, str, str, float]]:
    sources: dict[tuple[str, str, str], list[tuple[str, str]]] = defaultdict(list)
    for who, whom, kind, source, hub_source in rows:
        sources[who, whom, kind].append((source, hub_source))
    for (who, whom, kind), pairs in sources.items():
        plain = [pair for pair in pairs if pair[0] not in PAYERS and pair[1] not in PAYERS]
        source, hub_source = min(plain or pairs)
        rule = _RULE_OF[kind]
        if not plain:
            rule = "same_payer"
        elif source == "contracts.learner_id":
            rule = "contract"
        yield (
            who, whom, "account", rule, f"{source} = {hub_source}", rules.strengths.get((rule, "account"), 0)
        )  # fmt: skip
