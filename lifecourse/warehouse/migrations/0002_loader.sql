-- What the loader remembers beyond batches, and the vault.

-- One row per pull: every table of one system, read from one snapshot up to one cut-off.
create table meta.pull (
    pull_id bigint generated always as identity primary key,
    system text not null,
    business_day date not null,
    cutoff_at timestamptz not null,
    status text not null default 'pulling'
        check (status in ('pulling', 'landed', 'merged', 'abandoned')),
    started_at timestamptz not null default now(),
    finished_at timestamptz
);
create index pull_by_system on meta.pull (system, business_day);

alter table meta.batch
    add column pull_id bigint references meta.pull (pull_id),
    -- Keys counted to find hard deletes and rows that came later than the lag allows.
    add column rows_compared bigint,
    -- Rows of ranges that differed, read again although outside the window (among rows_read).
    add column rows_healed bigint;

-- The columns a source table had when it was last accepted: what drift is measured against.
create table meta.source_column (
    system text not null,
    source_table text not null,
    column_name text not null,
    column_type text not null,
    primary key (system, source_table, column_name)
);

create schema if not exists landing;
create schema if not exists raw;
create schema if not exists raw_history;
create schema if not exists quarantine;
create schema if not exists canonical;
create schema if not exists vault;

-- A token stands for one personal value of one kind. The HMAC is keyed with a secret that is not in
-- the database; rotating it rewrites this table only.
create table vault.token (
    hmac bytea not null,
    kind text not null,
    key_id smallint not null,
    token uuid not null,
    primary key (hmac, kind)
);

create table vault.value (
    token uuid primary key,
    kind text not null,
    value text not null,                        -- as the source wrote it the first time
    is_valid boolean not null,                  -- well formed for its kind
    first_seen_at timestamptz not null default now()
);

-- What people did by hand to quarantined rows and watermarks.
create table meta.manual_action (
    done_at timestamptz not null default now(),
    done_by text not null,
    action text not null,
    system text not null,
    source_table text not null,
    keys text[] not null default '{}'
);
