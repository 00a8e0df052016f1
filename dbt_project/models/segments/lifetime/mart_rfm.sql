-- One row per reportable customer with a purchase: recency, frequency and money, their fifths, and the segment.
with

history as (
    select * from {{ ref('int_purchase_history') }}
),

segments as (
    select * from {{ ref('rfm_segment') }}
),

measured as (
    select
        customer_id,
        campus_id,
        last_on as last_purchase_on,
        {{ days_between('last_on', as_of()) }} as recency_days,
        purchases as frequency_purchases,
        net_amount as monetary_amount,
        count(*) over () as customers
    from history
),

-- The fifth by how many customers are worse: equals get equal scores, on every run.
scored as (
    select
        measured.*,
        cast(1 + floor(5 * (rank() over (order by recency_days desc) - 1) / cast(customers as numeric)) as integer)
            as recency_score,
        cast(1 + floor(5 * (rank() over (order by frequency_purchases) - 1) / cast(customers as numeric)) as integer)
            as frequency_score,
        cast(1 + floor(5 * (rank() over (order by monetary_amount) - 1) / cast(customers as numeric)) as integer)
            as monetary_score
    from measured
)

select
    scored.customer_id,
    scored.campus_id,
    scored.last_purchase_on,
    scored.recency_days,
    scored.frequency_purchases,
    scored.monetary_amount,
    scored.recency_score,
    scored.frequency_score,
    scored.monetary_score,
    segments.segment_code as rfm_segment,
    segments.name_en as segment_name_en,
    segments.name_zh as segment_name_zh
from scored
inner join segments
    on
        scored.recency_score between segments.recency_from and segments.recency_to
        and scored.frequency_score between segments.frequency_from and segments.frequency_to
