-- One row per acquisition channel: those of the contract and any other that a source names.
with

known as (
    select * from {{ ref('channels') }}
),

named as (
    select channel_code from known
    union
    select channel_code from {{ ref('stg_campaigns') }}
    union
    select channel_code from {{ ref('stg_channel_costs') }}
    union
    select channel_code from {{ ref('fct_lead') }}
)

select
    named.channel_code,
    coalesce(known.name_en, named.channel_code) as name_en,
    coalesce(known.name_zh, named.channel_code) as name_zh,
    known.is_paid
from named
left join known on known.channel_code = named.channel_code
