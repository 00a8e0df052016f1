"""Reads records and their keys from the canonical tables, for the records in the temporary table `asked`."""

from __future__ import annotations

import psycopg
from psycopg import sql

from lifecourse.identity.rules import Rules

Connection = psycopg.Connection

#: Sources of keys that say who paid, not who somebody is.
PAYERS = ("orders.payer_phone", "orders.payer_wechat_unionid")

_TABLES = """
create temporary table asked (record_id text primary key, kind text not null, id text not null) on commit drop;
create temporary table fresh_person (
    record_id text primary key, kind text not null, learner_id text, learner_rule text, name text, core text,
    is_nickname boolean, nickname text, birth text, swapped text
) on commit drop;
create temporary table fresh_key (
    record_id text, kind text, value text, source text, learner text, guardian text
) on commit drop;
create temporary table fresh (record_id text primary key, kind text not null, fingerprint text not null) on commit drop;
create temporary table pair_key (record_id text, kind text, value text) on commit drop;
"""

#: Everybody: leads, contacts, and learner ids that any source names.
_ASK_ALL = """
insert into asked
select 'lead:' || lead_id, 'lead', lead_id from {canonical}.leads
union all
select 'contact:' || contact_id, 'contact', contact_id from {canonical}.contacts
union all
select 'learner:' || learner_id, 'learner', learner_id from (
    select learner_id from {canonical}.learners
    union
    select learner_id from {canonical}.enrolments
    union
    select learner_id from {canonical}.orders
    union
    select learner_id from {canonical}.leads
) as named where learner_id is not null
"""

#: What loads since the last run touched, the leads of touched contacts and the learners of touched orders.
_ASK_TOUCHED = """
insert into asked
select kind || ':' || key, kind, key from (
    select kind, key from meta.touched where load_id > {since} and kind in ('lead', 'contact', 'learner')
    union
    select 'lead', leads.lead_id
    from meta.touched as touched
    join {canonical}.leads as leads on leads.contact_id = touched.key
    where touched.load_id > {since} and touched.kind = 'contact'
    union
    select 'learner', orders.learner_id
    from meta.touched as touched
    join {canonical}.orders as orders on orders.order_id = touched.key
    where touched.load_id > {since} and touched.kind = 'order'
) as touched
where key <> '*'
"""

_READ_PERSONS = """
insert into fresh_person
select
    asked.record_id, 'lead',
    coalesce(leads.learner_id, signed.learner_id),
    case when leads.learner_id is not null then 'explicit_learner' when signed.learner_id is not null then 'contract' end,
    leads.learner_name::text,
    coalesce(leads.learner_name_core, leads.learner_name)::text,
    coalesce(leads.learner_name_is_nickname, false),
    null,
    -- Without a year it is no date.
    case when leads.learner_birth_year is not null then leads.learner_birth_date::text end,
    case when leads.learner_birth_year is not null then leads.learner_birth_swapped::text end
from asked
join {canonical}.leads as leads on leads.lead_id = asked.id
left join lateral (
    -- The contract of a lead says whom it was for, if all its contracts agree.
    select min(contracts.learner_id) as learner_id
    from {canonical}.contracts as contracts
    where contracts.lead_id = leads.lead_id and contracts.learner_id is not null
    having count(distinct contracts.learner_id) = 1
) as signed on leads.learner_id is null
where asked.kind = 'lead';

insert into fresh_person
select asked.record_id, 'contact', null, null, null, null, false, null, null, null
from asked
join {canonical}.contacts as contacts on contacts.contact_id = asked.id
where asked.kind = 'contact';

insert into fresh_person
select
    asked.record_id, 'learner', asked.id, null, learners.name::text, coalesce(learners.name_core, learners.name)::text,
    false, learners.nickname::text,
    case when learners.birth_year is not null then learners.birth_date::text end,
    case when learners.birth_year is not null then learners.birth_date_swapped::text end
from asked
join (
    select asked.id from asked join {canonical}.learners as it on it.learner_id = asked.id where asked.kind = 'learner'
    union
    select asked.id from asked join {canonical}.enrolments as it on it.learner_id = asked.id where asked.kind = 'learner'
    union
    select asked.id from asked join {canonical}.orders as it on it.learner_id = asked.id where asked.kind = 'learner'
    union
    select asked.id from asked join {canonical}.leads as it on it.learner_id = asked.id where asked.kind = 'learner'
) as named on named.id = asked.id
left join {canonical}.learners as learners on learners.learner_id = asked.id
where asked.kind = 'learner';
"""

_READ_KEYS = """
insert into fresh_key
select keyed.record_id, key.kind, key.value, key.source, keyed.learner, keyed.guardian
from (
    select
        person.record_id, person.core as learner, contacts.name::text as guardian, leads.contact_id,
        case when coalesce(contacts.phone_is_valid, true) then contacts.phone::text end as phone,
        contacts.wechat_unionid::text as unionid, contacts.email::text as email,
        person.learner_id, person.learner_rule
    from fresh_person as person
    join asked on asked.record_id = person.record_id
    join {canonical}.leads as leads on leads.lead_id = asked.id
    left join {canonical}.contacts as contacts on contacts.contact_id = leads.contact_id
    where person.kind = 'lead'
) as keyed
cross join lateral (values
    ('contact', contact_id, 'leads.contact_id'),
    ('phone', phone, 'contacts.phone'),
    ('unionid', unionid, 'contacts.wechat_unionid'),
    ('email', email, 'contacts.email'),
    ('learner', learner_id, case learner_rule when 'contract' then 'contracts.learner_id' else 'leads.learner_id' end)
) as key (kind, value, source)
where key.value is not null;

insert into fresh_key
select keyed.record_id, key.kind, key.value, key.source, null, keyed.guardian
from (
    select
        asked.record_id, contacts.contact_id, contacts.name::text as guardian,
        case when coalesce(contacts.phone_is_valid, true) then contacts.phone::text end as phone,
        contacts.wechat_unionid::text as unionid, contacts.email::text as email
    from asked
    join {canonical}.contacts as contacts on contacts.contact_id = asked.id
    where asked.kind = 'contact'
) as keyed
cross join lateral (values
    ('contact', contact_id, 'contacts.contact_id'),
    ('phone', phone, 'contacts.phone'),
    ('unionid', unionid, 'contacts.wechat_unionid'),
    ('email', email, 'contacts.email')
) as key (kind, value, source)
where key.value is not null;

insert into fresh_key
select person.record_id, 'learner', person.learner_id, 'learners.learner_id', person.core, null
from fresh_person as person where person.kind = 'learner';

insert into fresh_key
select keyed.record_id, key.kind, key.value, key.source, keyed.learner, keyed.guardian
from (
    select
        person.record_id, person.core as learner, learners.guardian_name::text as guardian,
        learners._system || ':' || learners.household_id as household,
        case when coalesce(learners.guardian_phone_is_valid, true) then learners.guardian_phone::text end as phone,
        learners.guardian_wechat_unionid::text as unionid
    from fresh_person as person
    join {canonical}.learners as learners on learners.learner_id = person.learner_id
    where person.kind = 'learner'
) as keyed
cross join lateral (values
    ('household', household, 'learners.household_id'),
    ('phone', phone, 'learners.guardian_phone'),
    ('unionid', unionid, 'learners.guardian_wechat_unionid')
) as key (kind, value, source)
where key.value is not null;

insert into fresh_key
select distinct person.record_id, key.kind, key.value, key.source, person.core, orders.payer_name::text
from fresh_person as person
join {canonical}.orders as orders on orders.learner_id = person.learner_id
cross join lateral (values
    ('phone', orders.payer_phone::text, 'orders.payer_phone'),
    ('unionid', orders.payer_wechat_unionid::text, 'orders.payer_wechat_unionid')
) as key (kind, value, source)
where person.kind = 'learner' and key.value is not null;

insert into fresh_key
select distinct person.record_id, 'contact', contracts.contact_id, 'contracts.contact_id', person.core, null
from fresh_person as person
join {canonical}.contracts as contracts on contracts.learner_id = person.learner_id
where person.kind = 'learner' and contracts.contact_id is not null;

insert into fresh_key
select pair_key.record_id, pair_key.kind, pair_key.value, 'seed', null, null
from pair_key join fresh_person as person on person.record_id = pair_key.record_id;

insert into fresh
select person.record_id, person.kind, md5(concat_ws('|',
    coalesce(person.learner_id, ''), coalesce(person.learner_rule, ''), coalesce(person.name, ''),
    coalesce(person.core, ''), person.is_nickname, coalesce(person.nickname, ''), coalesce(person.birth, ''),
    coalesce(person.swapped, ''), keys.marks
))
from fresh_person as person
left join (
    select record_id, string_agg(
        concat_ws('/', kind, value, source, coalesce(learner, ''), coalesce(guardian, '')), ' '
        order by kind, value, source, guardian
    ) as marks
    from fresh_key group by record_id
) as keys on keys.record_id = person.record_id;
"""


def open_tables(connection: Connection, rules: Rules) -> None:
    """The temporary tables of a run, and the pairs of the seeds as keys: forced ones bind, forbidden ones only
    bring their accounts along."""
    connection.execute(_TABLES)
    with connection.cursor() as cursor:
        cursor.executemany(
            "insert into pair_key values (%s, %s, %s)",
            [
                (record, kind, str(number))
                for kind, pairs in (("forced", rules.forced), ("forbidden", rules.forbidden))
                for number, pair in enumerate(pairs)
                for record in (pair.first, pair.second)
            ],
        )


def ask_all(connection: Connection, canonical: str) -> None:
    connection.execute(_filled(_ASK_ALL, canonical))


def ask_touched(connection: Connection, canonical: str, since_load_id: int) -> None:
    connection.execute(_filled(_ASK_TOUCHED, canonical, since=sql.Literal(since_load_id)))


def read(connection: Connection, canonical: str) -> None:
    """Fill `fresh_person`, `fresh_key` and `fresh` for the records in `asked` that a source still has."""
    connection.execute("analyze asked")
    for script in (_READ_PERSONS, _READ_KEYS):
        connection.execute(_filled(script, canonical))
    for table in ("fresh_person", "fresh_key", "fresh"):
        connection.execute(f"analyze {table}")


def empty(connection: Connection) -> None:
    """Empty the tables of records for another question."""
    connection.execute("truncate asked, fresh_person, fresh_key, fresh")


def _filled(script: str, canonical: str, **more: sql.Composable) -> sql.Composed:
    return sql.SQL(script).format(canonical=sql.Identifier(canonical), **more)
