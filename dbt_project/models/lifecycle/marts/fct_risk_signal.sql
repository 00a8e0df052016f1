-- One row per customer, risk signal and unbroken stretch of days on which it was open, [opened_on, closed_on).
{{ config(materialized='incremental', incremental_strategy='by_customer', on_schema_change='fail') }}
with

stretches as (
    select * from {{ ref('int_signal_stretch') }}
),

customers as (
    select * from {{ ref('int_first_fact') }}
)

select
    {{ risk_signal_id('stretches') }} as risk_signal_id,
    stretches.customer_id,
    customers.campus_id,
    stretches.run_no,
    stretches.signal_code,
    stretches.signal_class,
    stretches.priority,
    stretches.opened_on,
    {{ once('stretches.closed_on', 'stretches.closed_on') }} as closed_on,
    stretches.evidence,
    stretches.rule_version
from stretches
inner join customers on customers.customer_id = stretches.customer_id
where stretches.opened_on <= {{ as_of() }}
