-- What a night knows of its models from the night before: which need not be computed, since nothing they read has changed,
-- and which tables a publication need not compare.
create table meta.model_state (
    model text primary key,
    text_hash text not null,                    -- of the SQL as it was sent
    inputs jsonb not null,                      -- table or view it read -> state it was in
    state text not null,                        -- another one whenever a row of it has changed
    changed_by_build text not null              -- build that last changed a row of it
);

comment on table meta.model_state is 'One row per model that a night has sent since the last full build: what was sent, what it read, and which build last changed a row of it. What reads the same in the same state is not computed again.';
