-- One row per account and contact: what part the contact has in talking, paying and signing, and who decides.
{{ config(materialized='incremental', incremental_strategy='by_customer', on_schema_change='fail') }}
with

changed as (
    select * from {{ ref('changed_account') }}
),

contacts as (
    select * from {{ ref('stg_contacts') }}
),

members as (
    select
        identified.contact_id,
        identified.account_id
    from changed
    inner join {{ source('identity', 'identity_contact') }} as identified
        on identified.account_id = changed.account_id
),

accounts as (
    select
        changed.account_id,
        -- An account is at home where its first customer is.
        min(dim_customer.customer_id) as first_customer_id
    from changed
    inner join {{ ref('dim_customer') }} as dim_customer on dim_customer.account_id = changed.account_id
    group by changed.account_id
),

customers as (
    select * from {{ ref('dim_customer') }}
),

weights as (
    select * from {{ ref('decision_weights') }}
),

talks as (
    select
        touchpoints.contact_id,
        count(*) as talk_count,
        max(touchpoints.occurred_on) as last_talk_on
    from members
    inner join {{ ref('stg_touchpoints') }} as touchpoints on touchpoints.contact_id = members.contact_id
    where
        {{ is_answered('touchpoints') }}
        and touchpoints.occurred_on <= {{ as_of() }}
    group by touchpoints.contact_id
),

-- A payer is known by the phone or the WeChat unionid.
learners as (
    select
        registry.learner_id,
        registry.account_id
    from changed
    inner join {{ ref('customer_registry') }} as registry on registry.account_id = changed.account_id
),

payer_keys as (
    select
        bought.order_id,
        learners.account_id,
        'phone' as kind,
        cast(bought.payer_phone as text) as value
    from learners
    inner join {{ ref('stg_orders') }} as bought on bought.learner_id = learners.learner_id
    where bought.payer_phone is not null
    union all
    select
        bought.order_id,
        learners.account_id,
        'unionid' as kind,
        cast(bought.payer_wechat_unionid as text) as value
    from learners
    inner join {{ ref('stg_orders') }} as bought on bought.learner_id = learners.learner_id
    where bought.payer_wechat_unionid is not null
),

-- The payer of an order is one contact, the first that fits.
payers as (
    select
        payer_keys.order_id,
        min(keys.record_id) as record_id
    from payer_keys
    inner join {{ source('identity', 'identity_key') }} as keys
        on
            keys.kind = payer_keys.kind
            and keys.value = payer_keys.value
    inner join members
        on
            keys.record_id = 'contact:' || members.contact_id
            and members.account_id = payer_keys.account_id
    group by payer_keys.order_id
),

pays as (
    select
        payers.record_id,
        count(*) as paid_orders,
        max(orders.purchased_on) as last_paid_on
    from payers
    inner join {{ ref('fct_order') }} as orders on orders.order_id = payers.order_id
    where orders.purchased_on is not null
    group by payers.record_id
),

signs as (
    select
        contracts.contact_id,
        count(*) as signed_contracts
    from members
    inner join {{ ref('stg_contracts') }} as contracts on contracts.contact_id = members.contact_id
    where contracts.signed_on <= {{ as_of() }}
    group by contracts.contact_id
),

counted as (
    select
        members.account_id,
        contacts.contact_id,
        contacts.relation,
        coalesce(contacts.is_decision_maker, false) as is_decision_maker_in_source,
        contacts.education,
        contacts.occupation,
        contacts.region,
        cast(coalesce(talks.talk_count, 0) as integer) as talk_count,
        cast(coalesce(pays.paid_orders, 0) as integer) as paid_orders,
        cast(coalesce(signs.signed_contracts, 0) as integer) as signed_contracts,
        talks.last_talk_on,
        pays.last_paid_on,
        sum(coalesce(talks.talk_count, 0)) over of_account as account_talks,
        sum(coalesce(pays.paid_orders, 0)) over of_account as account_paid_orders,
        sum(coalesce(signs.signed_contracts, 0)) over of_account as account_signed_contracts,
        bool_or(coalesce(contacts.is_decision_maker, false)) over of_account as has_decision_maker_in_source
    from members
    inner join contacts on contacts.contact_id = members.contact_id
    left join talks on talks.contact_id = members.contact_id
    left join pays on pays.record_id = 'contact:' || members.contact_id
    left join signs on signs.contact_id = members.contact_id
    where {{ day_of('contacts.created_at') }} <= {{ as_of() }}
    window of_account as (partition by members.account_id)
),

shared as (
    select
        counted.*,
        round(cast(talk_count as numeric) / nullif(account_talks, 0), 4) as talk_share,
        round(cast(paid_orders as numeric) / nullif(account_paid_orders, 0), 4) as pay_share,
        round(cast(signed_contracts as numeric) / nullif(account_signed_contracts, 0), 4) as sign_share
    from counted
),

-- A part of which nothing is known has no weight; where nothing is known at all, the source's word has.
weighed as (
    select
        shared.*,
        coalesce(
            round(
                (
                    talks_weight.weight * coalesce(talk_share, 0) + pays_weight.weight * coalesce(pay_share, 0)
                    + signs_weight.weight * coalesce(sign_share, 0)
                ) / nullif(
                    case when talk_share is not null then talks_weight.weight else 0 end
                    + case when pay_share is not null then pays_weight.weight else 0 end
                    + case when sign_share is not null then signs_weight.weight else 0 end, 0
                ), 4
            ),
            case when is_decision_maker_in_source or not has_decision_maker_in_source then 1 else 0 end
        ) as decision_weight
    from shared
    inner join weights as talks_weight on talks_weight.part = 'talks'
    inner join weights as pays_weight on pays_weight.part = 'pays'
    inner join weights as signs_weight on signs_weight.part = 'signs'
),

ranked as (
    select
        weighed.*,
        row_number() over (
            partition by account_id
            order by decision_weight desc, is_decision_maker_in_source desc, length(contact_id), contact_id
        ) as decision_rank
    from weighed
)

select
    ranked.account_id,
    ranked.contact_id,
    customers.campus_id,
    ranked.relation,
    ranked.education,
    ranked.occupation,
    ranked.region,
    ranked.talk_count,
    ranked.paid_orders,
    ranked.signed_contracts,
    cast(ranked.talk_share as numeric(6, 4)) as talk_share,
    cast(ranked.pay_share as numeric(6, 4)) as pay_share,
    cast(ranked.sign_share as numeric(6, 4)) as sign_share,
    cast(ranked.decision_weight as numeric(6, 4)) as decision_weight,
    ranked.decision_rank = 1 as is_decision_maker,
    ranked.is_decision_maker_in_source,
    ranked.last_talk_on,
    ranked.last_paid_on
from ranked
inner join accounts on accounts.account_id = ranked.account_id
inner join customers on customers.customer_id = accounts.first_customer_id
