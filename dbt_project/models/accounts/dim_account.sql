-- One row per account: a household or company with the customers in it, who decides, and how to talk to them.
{{ config(materialized='incremental', incremental_strategy='by_customer', on_schema_change='fail') }}
with

changed as (
    select * from {{ ref('changed_account') }}
),

customers as (
    select dim_customer.*
    from changed
    inner join {{ ref('dim_customer') }} as dim_customer on dim_customer.account_id = changed.account_id
),

members as (
    select dim_account_member.*
    from changed
    inner join {{ ref('dim_account_member') }} as dim_account_member
        on dim_account_member.account_id = changed.account_id
),

accounts as (
    select
        account_id,
        -- An account is at home where its first customer is.
        min(customer_id) as first_customer_id,
        cast(count(*) as integer) as customers,
        cast(count(case when current_phase = 'existing' then 1 end) as integer) as existing_customers,
        min(first_contact_on) as first_contact_on,
        min(first_purchase_on) as first_purchase_on,
        bool_or(is_reportable) as is_reportable
    from customers
    group by account_id
),

deciding as (
    select * from members
    where is_decision_maker
),

counted as (
    select
        account_id,
        cast(count(*) as integer) as contacts,
        bool_or(relation = 'employer') as has_employer
    from members
    group by account_id
),

talks as (
    select
        members.account_id,
        touchpoints.channel,
        case
            when extract(hour from {{ local_time('touchpoints.occurred_at') }}) < 12 then 'morning'
            when extract(hour from {{ local_time('touchpoints.occurred_at') }}) < 18 then 'afternoon'
            else 'evening'
        end as part_of_day,
        touchpoints.occurred_at
    from members
    inner join {{ ref('stg_touchpoints') }} as touchpoints on touchpoints.contact_id = members.contact_id
    where
        {{ is_answered('touchpoints') }}
        and touchpoints.occurred_on <= {{ as_of() }}
),

channels as (
    select
        account_id,
        channel,
        row_number() over (partition by account_id order by count(*) desc, max(occurred_at) desc, channel) as place
    from talks
    group by account_id, channel
),

parts_of_day as (
    select
        account_id,
        part_of_day,
        row_number() over (partition by account_id order by count(*) desc, max(occurred_at) desc, part_of_day) as place
    from talks
    group by account_id, part_of_day
),

concerns as (
    select
        customers.account_id,
        complaints.category as concern,
        complaints.opened_on as told_on
    from customers
    inner join {{ ref('fct_complaint') }} as complaints on complaints.customer_id = customers.customer_id
    where complaints.category is not null
    union all
    select
        customers.account_id,
        interviews.reason_code as concern,
        interviews.interviewed_on as told_on
    from customers
    inner join {{ ref('fct_exit_interview') }} as interviews on interviews.customer_id = customers.customer_id
    union all
    select
        customers.account_id,
        leads.lost_reason as concern,
        leads.status_on as told_on
    from customers
    inner join {{ ref('fct_lead') }} as leads on leads.customer_id = customers.customer_id
    where leads.lost_reason is not null
),

ranked_concerns as (
    select
        account_id,
        concern,
        cast(count(*) as integer) as times,
        row_number() over (partition by account_id order by count(*) desc, max(told_on) desc, concern) as place
    from concerns
    group by account_id, concern
)

select
    accounts.account_id,
    customers.campus_id,
    case when counted.has_employer then 'company' else 'household' end as account_kind,
    accounts.customers,
    accounts.existing_customers,
    coalesce(counted.contacts, 0) as contacts,
    deciding.contact_id as decision_maker_contact_id,
    deciding.relation as decision_maker_relation,
    deciding.decision_weight as decision_maker_weight,
    case
        when deciding.relation is null then null
        when deciding.relation = 'self' then 'learner'
        when deciding.relation = 'employer' then 'company'
        else 'guardian'
    end as led_by,
    ranked_concerns.concern as main_concern,
    ranked_concerns.times as main_concern_count,
    channels.channel as preferred_channel,
    parts_of_day.part_of_day as preferred_part_of_day,
    accounts.first_contact_on,
    accounts.first_purchase_on,
    accounts.is_reportable
from accounts
inner join customers on customers.customer_id = accounts.first_customer_id
left join counted on counted.account_id = accounts.account_id
left join deciding on deciding.account_id = accounts.account_id
left join ranked_concerns
    on
        ranked_concerns.account_id = accounts.account_id
        and ranked_concerns.place = 1
left join channels
    on
        channels.account_id = accounts.account_id
        and channels.place = 1
left join parts_of_day
    on
        parts_of_day.account_id = accounts.account_id
        and parts_of_day.place = 1
