-- One row per referral: by which network it came, whether it led to a purchase, and how far it went on from there.
{{ config(materialized='table') }}
with

referrals as (
    select * from {{ ref('fct_referral') }}
),

customers as (
    select * from {{ ref('dim_customer') }}
),

staged as (
    select * from {{ ref('stg_referrals') }}
),

leads as (
    select * from {{ ref('int_lead') }}
),

-- Tokens of communities are compared here and carried nowhere.
neighbours as (
    select
        staged.referral_id,
        referring.community = referred.community as is_same_community
    from staged
    inner join leads on leads.lead_id = staged.referred_lead_id
    inner join {{ ref('stg_contacts') }} as referring on referring.contact_id = staged.referrer_contact_id
    inner join {{ ref('stg_contacts') }} as referred on referred.contact_id = leads.contact_id
),

bought as (
    select
        referrals.referral_id,
        orders.order_id,
        orders.purchased_on,
        row_number() over (
            partition by referrals.referral_id order by orders.purchased_on, orders.placed_at, orders.order_id
        ) as purchase_no
    from referrals
    inner join {{ ref('fct_order') }} as orders on orders.customer_id = referrals.referred_customer_id
    where orders.purchased_on >= referrals.referred_on
),

converted as (
    select
        referrals.referral_id,
        referrals.customer_id,
        referrals.referred_customer_id,
        bought.order_id,
        bought.purchased_on
    from referrals
    inner join bought
        on
            bought.referral_id = referrals.referral_id
            and bought.purchase_no = 1
),

{% set steps = 6 %}
-- Who was brought by somebody who was brought: as many steps as there are tables, since portable SQL has no recursion
-- everywhere. A referral counts once for each that it goes back to.
{% for step in range(1, steps + 1) %}
    reached_{{ step }} as (
        {% if step == 1 %}
            select
                referral_id as origin_id,
                referral_id,
                referred_customer_id
            from converted
        {% else %}
            select
                reached.origin_id,
                converted.referral_id,
                converted.referred_customer_id
            from reached_{{ step - 1 }} as reached
            inner join converted on converted.customer_id = reached.referred_customer_id
            -- Two families may have brought each other's children.
            where converted.referral_id <> reached.origin_id
        {% endif %}
    ),

{% endfor %}
reached as (
    {% for step in range(1, steps + 1) %}
        select
            origin_id,
            referral_id
        from reached_{{ step }}
        {{ 'union' if not loop.last }}
    {% endfor %}
),

influence as (
    select
        origin_id as referral_id,
        count(*) as converted_count
    from reached
    group by origin_id
)

select
    referrals.referral_id,
    referrals.customer_id,
    referrals.campus_id,
    referrals.referred_lead_id,
    referrals.referred_customer_id,
    referrals.source_type,
    referring.school = referred.school and referring.grade = referred.grade as is_same_class,
    neighbours.is_same_community,
    -- What can be seen goes before what was told.
    case
        when referring.school = referred.school and referring.grade = referred.grade then 'classmate'
        when neighbours.is_same_community then 'neighbour'
        else coalesce(referrals.source_type, 'other')
    end as network,
    referrals.referred_on,
    converted.order_id as converted_order_id,
    converted.purchased_on as converted_on,
    {{ days_between('referrals.referred_on', 'converted.purchased_on') }} as days_to_conversion,
    coalesce(influence.converted_count, 0) as influence_count
from referrals
left join customers as referring on referring.customer_id = referrals.customer_id
left join customers as referred on referred.customer_id = referrals.referred_customer_id
left join neighbours on neighbours.referral_id = referrals.referral_id
left join converted on converted.referral_id = referrals.referral_id
left join influence on influence.referral_id = referrals.referral_id
