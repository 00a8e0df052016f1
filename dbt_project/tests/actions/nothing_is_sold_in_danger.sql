-- What: somebody in danger is on the list for an up-sell, a cross-sell or a referral.
-- Why it matters: an offer to a family with an open complaint is what makes it leave.
-- What to do: look at the offer in offer_catalogue: blocked_by_voice, blocked_by_behaviour and blocked_by_renewal must
-- be true for these kinds. If they are, look at the order of reasons in int_action_judged.
select
    actions.action_id,
    actions.offer_code
from {{ ref('mart_next_action') }} as actions
inner join {{ ref('fct_lifecycle_span') }} as spans
    on
        spans.customer_id = actions.customer_id
        and spans.is_current
        and spans.stage_code = 'danger'
where actions.offer_kind in ('up_sell', 'cross_sell', 'referral')
