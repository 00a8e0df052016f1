-- One row per build and action that came on a list with it: what people were asked to do, and when first.
{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='build_id',
    full_refresh=false,
    on_schema_change='append_new_columns',
) }}
with

actions as (
    select * from {{ ref('mart_next_action') }}
),

{% if is_incremental() %}
    -- Nobody saw the list of a build that was not published.
    listed_before as (
        select log.action_id
        from {{ this }} as log
        inner join {{ source('meta', 'build') }} as builds on builds.build_id = log.build_id
        where
            builds.status = 'published'
            and log.list_on < {{ list_on() }}
        group by log.action_id
    )
{% else %}
    listed_before as (
        select cast(null as {{ dbt.type_string() }}) as action_id
        where false
    )
{% endif %}

select
    '{{ var("build_id") }}' as build_id,
    actions.action_id,
    actions.list_on,
    actions.customer_id,
    actions.lead_id,
    actions.campus_id,
    actions.owner_kind,
    actions.owner_id,
    actions.trigger_code,
    actions.trigger_on,
    actions.cause_id,
    actions.offer_code,
    actions.due_on
from actions
left join listed_before on listed_before.action_id = actions.action_id
where
    listed_before.action_id is null
    -- The rebuild of an old day is looked at, not worked on.
    and {{ 'true' if var('target_schema') == 'core' else 'false' }}
