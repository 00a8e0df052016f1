-- Who was erased, what must not come back, and who looked up whom. None of these tables holds a personal value: keys
-- and values that must not come back are there as HMACs under a key of their own (secret suppression_key).

-- The ledger: one row per request to erase a person. A row with status open is all that a program of the institution
-- has to write. `subject` names what belongs to the person while the request is being honoured, and is emptied then.
create table vault.erasure_request (
    request_id uuid primary key default gen_random_uuid(),
    requested_at timestamptz not null default now(),
    requested_by text not null default current_user,
    came_by text not null default 'table' check (came_by in ('command', 'file', 'table', 'retention', 'replay')),
    -- Who: one of the two, emptied when the request is honoured.
    customer_id text,
    learner_id text,
    reason text not null default 'request of the person',
    status text not null default 'open' check (status in ('open', 'applied', 'honoured', 'unknown', 'lifted')),
    subject jsonb,
    applied_at timestamptz,
    honoured_at timestamptz,
    report jsonb
);

-- Keys of rows that a source must not bring back. `pseudonym` takes the key's place in rows that accounting law keeps;
-- without one only the personal values of such rows go.
create table vault.suppressed_key (
    kind text not null,                         -- learner, lead, contact, order
    key_hmac bytea not null,
    pseudonym text,
    request_id uuid not null references vault.erasure_request (request_id),
    primary key (kind, key_hmac)
);

-- Phones, addresses and accounts: what a source wrote before the erasure is not exchanged for a token again, under
-- whatever key it comes.
create table vault.suppressed_value (
    kind text not null,
    value_hmac bytea not null,
    erased_at timestamptz not null,
    request_id uuid not null references vault.erasure_request (request_id),
    primary key (kind, value_hmac)
);

-- One row per person looked up from a list, or refused: who asked for whom, for what, and what was answered.
create table vault.look_up (
    look_up_id bigint generated always as identity primary key,
    asked_at timestamptz not null default now(),
    asked_by text not null,                     -- the login of the session
    on_behalf_of text,                          -- as whoever runs the command said it
    purpose text not null,
    list_name text not null,
    customer_id text not null,
    is_answered boolean not null,
    reason_code text not null
);
create index look_up_by_customer on vault.look_up (customer_id);

alter table meta.batch
    -- Rows of erased persons that the source still sends: left out before the check (among rows_read).
    add column rows_suppressed bigint not null default 0;
alter table meta.batch drop constraint batch_check;
alter table meta.batch add constraint batch_adds_up check (
    status <> 'merged'
    or rows_read = rows_inserted + rows_updated + rows_unchanged + rows_quarantined + rows_suppressed
);

alter table meta.publication
    -- Set when what was before this publication was thrown away, because it held somebody erased since.
    add column has_no_way_back boolean not null default false;

-- Versions that were taken out of raw and raw_history since: of erased persons, or because their time was over. The
-- audit counts them against those that were merged.
create table meta.removed_version (
    removed_at timestamptz not null default now(),
    system text not null,
    source_table text not null,
    versions bigint not null,
    reason text not null check (reason in ('erasure', 'retention'))
);

-- Number of the key in force: one row. The key itself is the secret vault_key_<number>, never in a database.
create table vault.key (
    key_id smallint not null,
    rotated_at timestamptz not null default now(),
    is_only boolean primary key default true check (is_only)
);
insert into vault.key (key_id) values (1);

-- From a list to phone numbers. Two calls, since whoever asks could roll back the log of one call together with it:
-- `ask_contacts` writes who asks for whom and what is answered, `contacts` gives values only once that is committed.
-- Who may ask for a purpose is a member of lifecourse_contact_<purpose>, and sees the campuses that it sees in marts.

alter table vault.look_up
    add column ticket uuid not null,
    add column asked_in xid8 not null;
create index look_up_by_ticket on vault.look_up (ticket);

create function vault.ask_contacts(for_purpose text, of_list text, customers text[], for_whom text default null)
returns uuid
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    ticket_given constant uuid := pg_catalog.gen_random_uuid();
    asking constant name := session_user;
    role_of_purpose constant text := 'lifecourse_contact_' || for_purpose;
    may_ask constant boolean := exists (
        select from pg_catalog.pg_roles as r
        where r.rolname::text = role_of_purpose and pg_catalog.pg_has_role(asking, r.oid, 'member')
    );
    sees_all constant boolean := exists (
        select from pg_catalog.pg_roles as r
        where r.rolname::text = any (array['bi_reader', 'analyst', 'lifecourse_vault_reader'])
            and pg_catalog.pg_has_role(asking, r.oid, 'member')
    );
    campuses constant text[] := array(
        select pg_catalog.substr(r.rolname::text, pg_catalog.length('lifecourse_campus_') + 1)
        from pg_catalog.pg_roles as r
        where pg_catalog.starts_with(r.rolname::text, 'lifecourse_campus_')
            and pg_catalog.pg_has_role(asking, r.oid, 'member')
    );
begin
    if pg_catalog.cardinality(customers) > 500 then
        raise exception 'a list has at most 500 customers' using errcode = '22023';
    end if;
    insert into vault.look_up
        (ticket, asked_in, asked_by, on_behalf_of, purpose, list_name, customer_id, is_answered, reason_code)
    select
        ticket_given, pg_catalog.pg_current_xact_id(), asking::text, for_whom, for_purpose, of_list, told.customer_id,
        told.reason_code in ('granted', 'granted_by_guardian', 'contract'), told.reason_code
    from (
        select
            asked.customer_id,
            case
                when not may_ask then 'role_may_not'
                -- What it may not see is not there for it.
                when permission.customer_id is null or not (sees_all or permission.campus_id = any (campuses))
                    then 'unknown_customer'
                else permission.reason_code
            end as reason_code
        from (select distinct unnested as customer_id from pg_catalog.unnest(customers) as unnested) as asked
        left join core.int_contact_permission as permission
            on permission.customer_id = asked.customer_id and permission.purpose = for_purpose
    ) as told;
    return ticket_given;
end
$$;

create function vault.contacts(of_ticket uuid)
returns table (
    customer_id text, is_answered boolean, reason_code text, relation text, contact_name text, phone text, email text
)
language plpgsql stable
security definer
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
    return query
    with asked as (
        select l.customer_id, l.is_answered, l.reason_code
        from vault.look_up as l
        where l.ticket = of_ticket
            and l.asked_by = session_user::text
            and l.asked_at > pg_catalog.now() - interval '1 hour'
            -- Committed, and not by the transaction that asks: the log can no longer be taken back.
            and l.asked_in is distinct from pg_catalog.pg_current_xact_id_if_assigned()
            and pg_catalog.pg_xact_status(l.asked_in) = 'committed'
    ),
    reached as (
        select asked.customer_id, 'guardian' as relation, learners.guardian_name as name_token,
            learners.guardian_phone as phone_token, null::uuid as email_token
        from asked
        join core.identity_registry as registry on registry.customer_id = asked.customer_id
        join canonical.learners as learners on learners.learner_id = registry.learner_id
        where asked.is_answered and learners.guardian_phone is not null
        union
        select asked.customer_id, coalesce(persons.relation, 'contact'), persons.name, persons.phone, persons.email
        from asked
        join core.identity_registry as registry on registry.customer_id = asked.customer_id
        join core.identity_lead as resolved on resolved.learner_id = registry.learner_id
        join canonical.leads as leads on leads.lead_id = resolved.lead_id
        join canonical.contacts as persons on persons.contact_id = leads.contact_id
        where asked.is_answered
    )
    select asked.customer_id, asked.is_answered, asked.reason_code, reached.relation,
        names.value, phones.value, emails.value
    from asked
    left join reached on reached.customer_id = asked.customer_id
    left join vault.value as names on names.token = reached.name_token
    left join vault.value as phones on phones.token = reached.phone_token
    left join vault.value as emails on emails.token = reached.email_token
    order by 1, 4;
end
$$;

revoke all on function vault.ask_contacts(text, text, text[], text) from public;
revoke all on function vault.contacts(uuid) from public;
grant execute on function vault.ask_contacts(text, text, text[], text) to lifecourse_vault_reader;
grant execute on function vault.contacts(uuid) to lifecourse_vault_reader;
