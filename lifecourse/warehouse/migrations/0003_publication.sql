-- What publishing remembers, for readers and for a rollback.

alter table meta.publication
    -- Per table of marts: 'rows' (changed rows written), 'swapped' (a new table renamed in),
    -- 'added' or 'removed'. A rollback does the reverse.
    add column actions jsonb not null default '{}';

set local role lifecourse_publisher;

create table marts.publication (
    build_id text not null,
    as_of date not null,
    published_at timestamptz not null,
    kind text not null check (kind in ('full', 'incremental')),
    rows bigint not null,
    batches bigint not null,
    last_load_id bigint not null,
    is_current boolean not null,
    rolled_back_at timestamptz,
    publication_id bigint primary key
);
create unique index publication_current on marts.publication (is_current) where is_current;

comment on table marts.publication is
    'One row per build published; the current one says what "data as of" a dashboard may show. Example: '
    'select as_of, published_at from marts.publication where is_current.';
comment on column marts.publication.build_id is 'The build whose tables were published.';
comment on column marts.publication.as_of is
    'The day (institution''s calendar) as of whose end the tables tell the state.';
comment on column marts.publication.published_at is 'When readers first saw this build.';
comment on column marts.publication.kind is
    'full: every table was replaced whole; incremental: rows that differ were replaced.';
comment on column marts.publication.rows is 'Rows of all tables of marts after this publication, this table left out.';
comment on column marts.publication.batches is 'Batches loaded from the sources behind this build, since the beginning.';
comment on column marts.publication.last_load_id is 'Loads up to this one are in the build.';
comment on column marts.publication.is_current is 'True for the build that readers see now: one row at most.';
comment on column marts.publication.rolled_back_at is 'When this publication was taken back by a command; null: never.';
comment on column marts.publication.publication_id is 'Number of the publication, in order of publishing.';
