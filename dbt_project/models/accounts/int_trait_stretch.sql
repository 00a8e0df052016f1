-- One row per customer, kind of trait and code, and stretch of days in which it is noted as holding.
{{ config(materialized='incremental', incremental_strategy='by_customer', on_schema_change='fail') }}
with

changed as (
    select * from {{ ref('changed_customer') }}
),

registry as (
    select * from {{ ref('customer_registry') }}
),

-- A trait taken back on the day it was noted never held.
noted as (
    select
        registry.customer_id,
        traits.kind,
        traits.code,
        traits.noted_on,
        {{ once('traits.withdrawn_on', 'traits.withdrawn_on') }} as withdrawn_on
    from changed
    inner join registry on registry.customer_id = changed.customer_id
    inner join {{ ref('stg_learner_traits') }} as traits on traits.learner_id = registry.learner_id
    where
        traits.noted_on <= {{ as_of() }}
        and (traits.withdrawn_on is null or traits.withdrawn_on > traits.noted_on)
),

-- Two people may note the same, of one learner or of two records of the learner: it holds as long as one of them says
-- so.
reached as (
    select
        noted.*,
        max(coalesce(withdrawn_on, cast('9999-12-31' as date))) over (
            partition by customer_id, kind, code
            order by noted_on, coalesce(withdrawn_on, cast('9999-12-31' as date))
            rows between unbounded preceding and 1 preceding
        ) as reached_on
    from noted
),

numbered as (
    select
        reached.*,
        sum(case when noted_on <= reached_on then 0 else 1 end) over (
            partition by customer_id, kind, code
            order by noted_on, coalesce(withdrawn_on, cast('9999-12-31' as date))
            rows between unbounded preceding and current row
        ) as stretch_no
    from reached
)

select
    customer_id,
    kind,
    code,
    min(noted_on) as valid_from,
    case when count(withdrawn_on) = count(*) then max(withdrawn_on) end as valid_to,
    max(noted_on) as last_noted_on
from numbered
group by customer_id, kind, code, stretch_no
