-- One row per day, campus, product line and currency, from the first movement there to the day of the build.
with

movements as (
    select
        campus_id,
        product_line,
        currency,
        day_on,
        sum(case when measure = 'billings' then amount else 0 end) as billings,
        sum(case when measure = 'refunds' then amount else 0 end) as refunds,
        sum(case when measure = 'recognised' then amount else 0 end) as recognised,
        sum(case when measure = 'expired' then amount else 0 end) as expired
    from {{ ref('fct_revenue_movement') }}
    where day_on <= {{ as_of() }}
    group by campus_id, product_line, currency, day_on
),

-- Many lots of one price run through the same term: their days are reckoned once.
periods as (
    select
        campus_id,
        product_line,
        currency,
        value_amount,
        starts_on,
        total_days,
        first_on,
        least(last_on, {{ as_of() }}) as last_on,
        count(*) as lots
    from {{ ref('fct_period_revenue') }}
    where first_on <= {{ as_of() }}
    group by campus_id, product_line, currency, value_amount, starts_on, total_days, first_on, last_on
),

all_days as (
    {{ days('(select min(day_on) from movements)', as_of()) }}
),

earned_by_day as (
    select
        periods.campus_id,
        periods.product_line,
        periods.currency,
        all_days.day_on,
        periods.lots,
        {{ earned_amount(
            'periods.value_amount',
            '(' ~ days_between('periods.starts_on', 'all_days.day_on') ~ ' + 1)',
            'periods.total_days'
        ) }}
        - {{ earned_amount(
            'periods.value_amount',
            days_between('periods.starts_on', 'all_days.day_on'),
            'periods.total_days'
        ) }} as amount
    from periods
    inner join all_days on all_days.day_on between periods.first_on and periods.last_on
),

everything as (
    select
        campus_id,
        product_line,
        currency,
        day_on,
        billings,
        refunds,
        recognised,
        expired
    from movements
    union all
    select
        campus_id,
        product_line,
        currency,
        day_on,
        0 as billings,
        0 as refunds,
        sum(amount * lots) as recognised,
        0 as expired
    from earned_by_day
    group by campus_id, product_line, currency, day_on
),

books as (
    select
        campus_id,
        product_line,
        currency,
        min(day_on) as first_on
    from everything
    group by campus_id, product_line, currency
),

by_day as (
    select
        all_days.day_on,
        books.campus_id,
        books.product_line,
        books.currency,
        coalesce(sum(everything.billings), 0) as billings,
        coalesce(sum(everything.refunds), 0) as refunds,
        coalesce(sum(everything.recognised), 0) as recognised,
        coalesce(sum(everything.expired), 0) as expired
    from books
    inner join all_days on all_days.day_on >= books.first_on
    left join everything
        on
            everything.campus_id = books.campus_id
            and everything.product_line = books.product_line
            and everything.currency = books.currency
            and everything.day_on = all_days.day_on
    group by all_days.day_on, books.campus_id, books.product_line, books.currency
),

balances as (
    select
        by_day.*,
        sum(billings - refunds - recognised - expired) over (
            partition by campus_id, product_line, currency
            order by day_on
        ) as closing
    from by_day
)

select
    day_on,
    campus_id,
    product_line,
    currency,
    cast(closing - billings + refunds + recognised + expired as numeric(18, 2)) as opening,
    cast(billings as numeric(18, 2)) as billings,
    cast(refunds as numeric(18, 2)) as refunds,
    cast(recognised as numeric(18, 2)) as recognised,
    cast(expired as numeric(18, 2)) as expired,
    cast(closing as numeric(18, 2)) as closing
from balances
