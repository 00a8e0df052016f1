-- One row per customer and stretch of days with the same attributes, from the first contact to the day of the build.
{{ config(materialized='incremental', incremental_strategy='by_customer', on_schema_change='fail') }}
{% set versions = versions_of('learner') %}
with

scope as (
    select * from {{ ref('int_customer_scope') }}
),

contacts as (
    select * from {{ ref('int_lifecycle_contact') }}
),

grades as (
    select * from {{ ref('grades') }}
),

-- A change counts from the day on which the source made it; of several on a day the last is the day's.
known as (
    select
        scope.customer_id,
        versions.campus_id,
        versions.grade,
        versions.school,
        versions.region,
        versions.status as source_status,
        {{ day_of('versions.updated_at') }} as changed_on,
        row_number() over (
            partition by scope.customer_id, {{ day_of('versions.updated_at') }}
            order by versions.updated_at desc, versions._load_id desc
        ) as version_no
    from scope
    inner join {{ versions }} as versions on versions.learner_id = scope.learner_id
    where
        scope.is_main
        and {{ day_of('versions.updated_at') }} <= {{ as_of() }}
),

by_day as (
    select
        customer_id,
        campus_id,
        grade,
        school,
        region,
        source_status,
        changed_on,
        {{ json_array(['campus_id', 'grade', 'school', 'region', 'source_status']) }} as attributes
    from known
    where version_no = 1
),

{{ days_of_change('changed_on') }}

select
    changed.customer_id,
    cast(changed.version_no as integer) as version_no,
    changed.campus_id,
    grades.learner_band,
    changed.grade,
    changed.school,
    changed.region,
    changed.source_status,
    -- What the warehouse never saw otherwise is taken to have been so from the first contact on.
    case
        when changed.version_no = 1 then least(contacts.contact_on, changed.changed_on)
        else changed.changed_on
    end as valid_from,
    changed.valid_to,
    changed.valid_to is null as is_current,
    changed.version_no = 1 and contacts.contact_on < changed.changed_on as is_assumed_before_change,
    changed.changed_on
from changed
inner join contacts on contacts.customer_id = changed.customer_id
left join grades on grades.grade = changed.grade
