-- One row per kind of trait and code: those of the seed and any other that a source notes.
with

known as (
    select * from {{ ref('trait_codes') }}
),

named as (
    select
        kind,
        code
    from known
    union
    select
        kind,
        code
    from {{ ref('stg_learner_traits') }}
    where noted_on <= {{ as_of() }}
)

select
    named.kind,
    named.code,
    coalesce(known.name_en, named.code) as name_en,
    coalesce(known.name_zh, named.code) as name_zh
from named
left join known
    on
        known.kind = named.kind
        and known.code = named.code
