-- What: an offer of kind up_sell, cross_sell or referral may be made while a signal of some class is open.
-- Why it matters: it would be sold to somebody in danger on the first day such a signal opens.
-- What to do: in offer_catalogue, set blocked_by_voice, blocked_by_behaviour and blocked_by_renewal of the offer to
-- true.
{{ config(tags=['whole']) }}
select offer_code
from {{ ref('offer_catalogue') }}
where
    offer_kind in ('up_sell', 'cross_sell', 'referral')
    and not (blocked_by_voice and blocked_by_behaviour and blocked_by_renewal)
