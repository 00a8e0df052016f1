-- Who is who across the systems. State that outlives builds: written by lifecourse.identity before dbt runs, read by
-- the models as they read a source. A record is a lead, a contact or a learner; tokens stand for its keys.

set local role lifecourse_transformer;

-- One row per learner id or lead ever seen, with the customer and the account it belongs to now. A lead of its own is
-- known as lead:<lead_id>. Ids stay when records are added: of several the oldest lives on.
create table core.identity_registry (
    learner_id text primary key,
    customer_id text not null,
    account_id text,
    first_customer_id text not null,            -- the id it was given when it was first seen, which it may claim again
    first_account_id text,
    registered_by_build text not null
);
create index identity_registry_by_customer on core.identity_registry (customer_id);
create index identity_registry_by_first_customer on core.identity_registry (first_customer_id);
create index identity_registry_by_account on core.identity_registry (account_id);
create index identity_registry_by_first_account on core.identity_registry (first_account_id);

-- One row per lead: the learner id under which its facts are told. It outlives the lead, for days that knew it.
create table core.identity_lead (
    lead_id text primary key,
    learner_id text not null
);
create index identity_lead_by_learner on core.identity_lead (learner_id);

create table core.identity_contact (
    contact_id text primary key,
    account_id text
);
create index identity_contact_by_account on core.identity_contact (account_id);

-- One row per record and key it carries. `learner` and `guardian` are tokens of the names that stand beside the key:
-- a key beside too many of them is a crowd's.
create table core.identity_key (
    record_id text not null,
    kind text not null,                         -- phone, unionid, email, household, contact, learner
    value text not null,
    source text not null,                       -- the column it was read from
    learner text,
    guardian text
);
create index identity_key_by_record on core.identity_key (record_id);
create index identity_key_by_value on core.identity_key (kind, value);

create sequence core.identity_account_no;
create table core.identity_record (
    record_id text primary key,
    kind text not null check (kind in ('lead', 'contact', 'learner')),
    fingerprint text not null,                  -- of its keys and names: tells whether anything changed for identity
    account_no bigint                           -- records of one account share it; means nothing else
);
create index identity_record_by_account on core.identity_record (account_no);

create table core.identity_link (
    who text not null,
    whom text not null,
    level text not null check (level in ('account', 'person')),
    rule text not null,
    evidence text not null,
    strength numeric(4, 3) not null,
    first_seen_on date not null,
    first_seen_build text not null,
    primary key (who, whom, level, rule, evidence)
);

create table core.identity_shared_key (
    kind text not null,
    value text not null,
    learners integer not null,
    guardians integer not null,
    records integer not null,
    primary key (kind, value)
);

create table core.identity_merge (
    event_no bigint generated always as identity primary key,
    level text not null check (level in ('account', 'customer')),
    event text not null check (event in ('merge', 'split')),
    from_id text not null,
    into_id text not null,
    rule text not null,
    happened_on date not null,                  -- day of the build that found it
    build_id text not null
);

-- Customers whose records were grouped anew, by the last load that was looked at: a build computes those after the
-- load of the last publication.
create table core.identity_change (
    customer_id text not null,
    load_id bigint not null,
    primary key (customer_id, load_id)
);

create table core.identity_run (
    only_row boolean primary key default true check (only_row),
    last_load_id bigint not null
);

-- What people read in a client.
comment on table core.identity_registry is 'One row per learner id or lead ever seen, with its customer and account.';
comment on column core.identity_registry.learner_id is 'Learner id, or lead:<lead_id>.';
comment on column core.identity_registry.customer_id is 'Customer it belongs to now.';
comment on column core.identity_registry.account_id is 'Account it belongs to now.';
comment on column core.identity_registry.first_customer_id is 'Customer id it was given when it was first seen, which it may claim again.';
comment on column core.identity_registry.first_account_id is 'Account id it was given first.';
comment on column core.identity_registry.registered_by_build is 'Build that saw it first.';
comment on table core.identity_lead is 'One row per lead: the learner id under which its facts are told.';
comment on column core.identity_lead.lead_id is 'Lead.';
comment on column core.identity_lead.learner_id is 'Learner id, or lead:<lead_id>.';
comment on table core.identity_contact is 'One row per contact, with its account.';
comment on column core.identity_contact.contact_id is 'Contact.';
comment on column core.identity_contact.account_id is 'Account; empty while it has no customer.';
comment on table core.identity_key is 'One row per record and key that it carries.';
comment on column core.identity_key.record_id is 'lead:, contact: or learner: and the id.';
comment on column core.identity_key.kind is 'phone, unionid, email, household, contact, learner, forced, forbidden.';
comment on column core.identity_key.value is 'Token or id.';
comment on column core.identity_key.source is 'Column it was read from.';
comment on column core.identity_key.learner is 'Token of the learner''s name beside it.';
comment on column core.identity_key.guardian is 'Token of the guardian''s, contact''s or payer''s name beside it.';
comment on table core.identity_record is 'One row per lead, contact and learner that a source has.';
comment on column core.identity_record.record_id is 'lead:, contact: or learner: and the id.';
comment on column core.identity_record.kind is 'lead, contact or learner.';
comment on column core.identity_record.fingerprint is 'Hash of its keys and names: tells whether anything changed for identity.';
comment on column core.identity_record.account_no is 'The same for all records of an account; means nothing else.';
comment on table core.identity_link is 'One row per link between two records.';
comment on column core.identity_link.who is 'Record.';
comment on column core.identity_link.whom is 'Record it is linked to.';
comment on column core.identity_link.level is 'account or person.';
comment on column core.identity_link.rule is 'Rule (identity_link_rules).';
comment on column core.identity_link.evidence is 'Columns that agree.';
comment on column core.identity_link.strength is 'How far the rule alone is to be trusted, 0 to 1.';
comment on column core.identity_link.first_seen_on is 'Day of the build that found it.';
comment on column core.identity_link.first_seen_build is 'That build.';
comment on table core.identity_shared_key is 'One row per key beside too many people to bind any of them.';
comment on column core.identity_shared_key.kind is 'phone, unionid, email or contact.';
comment on column core.identity_shared_key.value is 'Token or id.';
comment on column core.identity_shared_key.learners is 'Names of learners beside it.';
comment on column core.identity_shared_key.guardians is 'Names of guardians, contacts and payers beside it.';
comment on column core.identity_shared_key.records is 'Records that carry it.';
comment on table core.identity_merge is 'One row per id that was folded into another, or split off.';
comment on column core.identity_merge.event_no is 'Number of the event.';
comment on column core.identity_merge.level is 'account or customer.';
comment on column core.identity_merge.event is 'merge or split.';
comment on column core.identity_merge.from_id is 'Id folded away, or that lost records.';
comment on column core.identity_merge.into_id is 'Id that took them.';
comment on column core.identity_merge.rule is 'Rule of the surest new link; link_gone for a split.';
comment on column core.identity_merge.happened_on is 'Day of the build that found it.';
comment on column core.identity_merge.build_id is 'That build.';
comment on table core.identity_change is 'One row per customer whose records were grouped anew, and load.';
comment on column core.identity_change.customer_id is 'Customer.';
comment on column core.identity_change.load_id is 'Last load that the run looked at.';
comment on table core.identity_run is 'How far identity has come.';
comment on column core.identity_run.only_row is 'True.';
comment on column core.identity_run.last_load_id is 'Last load that was looked at.';

-- The registry of earlier versions: a customer was a learner.
do $$
begin
    if to_regclass('core.customer_registry') is not null then
        insert into core.identity_registry (learner_id, customer_id, first_customer_id, registered_by_build)
        select learner_id, customer_id, customer_id, registered_by_build from core.customer_registry;
        drop table core.customer_registry;
    end if;
end
$$;
