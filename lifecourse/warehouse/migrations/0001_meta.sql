-- What happened to every batch and every build. Rows of these tables are the warehouse's own memory:
-- no personal value and no secret may ever be written here.
create table meta.migration (
    version integer primary key,
    name text not null,
    checksum text not null,                     -- SHA-256 of the file: one that has run is never edited
    applied_at timestamptz not null default now()
);

create sequence meta.batch_id;
-- Taken only while the merge lock is held (shared), so that a build that holds it exclusively
-- knows: every load id up to the last is either committed or will never be.
create sequence meta.load_id;

-- One row per batch: one table of one system over one window (or one file of it).
create table meta.batch (
    batch_id bigint primary key default nextval('meta.batch_id'),
    system text not null,
    source_table text not null,
    unit text not null default '',              -- file name for kind files, else ''
    unit_hash text,                             -- SHA-256 of the file
    business_day date not null,                 -- partition the batch was pulled for
    window_from timestamptz,                    -- exclusive; null: from the beginning
    window_to timestamptz not null,             -- inclusive cut-off
    status text not null default 'landing'
        check (status in ('landing', 'landed', 'merged', 'refused', 'abandoned')),
    load_id bigint,                             -- set by the merge
    rows_scanned bigint,                        -- rows the source had to look at, where it tells
    rows_read bigint,
    rows_inserted bigint,
    rows_updated bigint,
    rows_unchanged bigint,
    rows_quarantined bigint,
    rows_deleted bigint,                        -- hard deletes found (not among rows_read)
    rows_rechecked bigint,                      -- quarantined earlier and looked at again (not among rows_read)
    rows_released bigint,                       -- of those, merged now
    started_at timestamptz not null default now(),
    finished_at timestamptz,
    error text,
    check (status <> 'merged'
        or rows_read = rows_inserted + rows_updated + rows_unchanged + rows_quarantined)
);
create index batch_by_table on meta.batch (system, source_table, business_day);

create table meta.watermark (
    system text not null,
    source_table text not null,
    pulled_to timestamptz not null,             -- never moves back
    load_id bigint not null,
    primary key (system, source_table)
);

-- A system has delivered a business day when every one of its tables is merged up to the end of it.
create table meta.delivery (
    system text not null,
    business_day date not null,
    cutoff_at timestamptz not null,
    delivered_at timestamptz not null default now(),
    last_load_id bigint not null,
    primary key (system, business_day)
);

-- Which customers' keys a load touched; '*' stands for everybody. Read by core.changed_customer.
create table meta.touched (
    load_id bigint not null,
    kind text not null,                         -- learner, lead, contact, order, lesson, all
    key text not null
);
create index touched_by_load on meta.touched (load_id);

create table meta.schema_change (
    noted_at timestamptz not null default now(),
    system text not null,
    source_table text not null,
    change text not null check (change in ('new_column', 'missing_column', 'retyped_column')),
    column_name text not null,
    detail text,
    primary key (system, source_table, change, column_name)
);

-- One row per check of a suite that ran: row rules on a batch, or an audit of a build.
create table meta.check_result (
    check_id bigint generated always as identity primary key,
    checked_at timestamptz not null default now(),
    stage text not null check (stage in ('landing', 'audit', 'dbt')),
    batch_id bigint references meta.batch (batch_id),
    build_id text,
    suite text not null,
    rule text not null,
    success boolean not null,
    failing_rows bigint,
    observed text                               -- a count or a share; never a row's value
);
create index check_result_by_batch on meta.check_result (batch_id);
create index check_result_by_build on meta.check_result (build_id);

create table meta.build (
    build_id text primary key,
    as_of date not null,
    kind text not null check (kind in ('full', 'incremental')),
    schema_name text not null default 'core',   -- asof_<day> for the rebuild of an old day
    known_at_load bigint,                       -- set when raw is read as it was after that load
    last_load_id bigint not null,               -- loads up to here are in the build
    since_load_id bigint not null default 0,    -- loads after this one made customers change
    code_hash text not null,                    -- models, seeds and macros
    rules_hash text not null,
    status text not null default 'running'
        check (status in ('running', 'built', 'audited', 'published', 'failed', 'rolled_back')),
    changed_customers bigint,
    stage_seconds jsonb not null default '{}',
    started_at timestamptz not null default now(),
    finished_at timestamptz,
    error text
);

create table meta.publication (
    publication_id bigint generated always as identity primary key,
    build_id text not null references meta.build (build_id),
    as_of date not null,
    kind text not null,
    last_load_id bigint not null,
    rows jsonb not null,                        -- rows per table of marts
    rows_written jsonb not null,                -- rows deleted and inserted per table
    published_at timestamptz not null default now(),
    rolled_back_at timestamptz
);
