-- Question: By which networks do families bring others, and who brings most?
-- Returns: first one row per network with its referrals, purchases and median of days to the purchase; then, as rows
--   `customer`, the five customers to whom most purchases by referral go back.
-- Caveat: a network is what can be seen (one school and grade, one community), else what the family told. Influence counts
--   a purchase for each family it goes back to, so that it must not be added up over customers.
with

networks as (
    select
        network as name,
        count(*) as referrals,
        count(converted_on) as purchases,
        percentile_disc(0.5) within group (order by days_to_conversion) as median_days,
        cast(null as bigint) as influence
    from marts.fct_referral_network
    group by network
),

customers as (
    select
        customer_id as name,
        count(*) as referrals,
        count(converted_on) as purchases,
        percentile_disc(0.5) within group (order by days_to_conversion) as median_days,
        sum(influence_count)::bigint as influence
    from marts.fct_referral_network
    group by customer_id
    order by influence desc, purchases desc, name
    limit 5
)

select
    'network' as kind,
    networks.*
from networks
union all
select
    'customer' as kind,
    customers.*
from customers
order by kind desc, influence desc nulls last, referrals desc, name;
