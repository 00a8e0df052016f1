-- Question: Do we charge school children's families for more than three months or 60 hours ahead?
-- Returns: one row per campus and quarter of the last year: K12 charges, those within the cap and their share
--   (prepayment_within_cap), and the most that one charge covered.
-- Caveat: a charge is a payment, so an order paid in instalments is several charges. The caps are rows of the seed
--   money_rules. Charges whose cover is not known (a period without an end) are left out.
with

as_of as (
    select as_of as day_on
    from marts.publication
    where is_current
),

charges as (
    select
        payment_id,
        campus_id,
        paid_on,
        bool_and(is_within_cap) as is_within_cap,
        sum(covers_hours) as covers_hours,
        max(covers_days) as covers_days
    from marts.fct_prepayment_check
    where is_k12
    group by payment_id, campus_id, paid_on
)

select
    checks.campus_id,
    cast(date_trunc('quarter', checks.paid_on) as date) as quarter_on,
    count(*) as k12_charges,
    count(*) filter (where checks.is_within_cap) as within_cap,
    round(cast(count(*) filter (where checks.is_within_cap) as numeric) / nullif(count(*), 0), 3)
        as prepayment_within_cap,
    max(checks.covers_hours) as most_hours,
    max(checks.covers_days) as most_days
from charges as checks
cross join as_of
where
    checks.is_within_cap is not null
    and checks.paid_on >= date_trunc('quarter', as_of.day_on) - interval '9 months'
group by checks.campus_id, cast(date_trunc('quarter', checks.paid_on) as date)
order by checks.campus_id, quarter_on;
