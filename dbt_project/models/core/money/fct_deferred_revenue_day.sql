-- One row per day, campus, product line and currency, from the first day on which anything moved there to the day of
-- the build. A night takes the table as it is published and exchanges what changed customers bring to it, since every
-- amount is exact; only the days since then are added up from everybody.
{% set published = published_table('fct_deferred_revenue_day') %}
with

{% if published %}

    changed as (
        select * from {{ ref('changed_customer') }}
    ),

    before as (
        select as_of as day_on from {{ published_table('publication') }}
        where is_current
    ),

    -- What changed customers bring now, less what they brought.
    movements as (
        {% for relation, sign in [
            (ref('fct_revenue_movement'), 1), (published_table('fct_revenue_movement'), -1)
        ] %}
            select
                movement.campus_id,
                movement.product_line,
                movement.currency,
                movement.day_on,
                movement.measure,
                {{ sign }} * movement.amount as amount
            from changed
            inner join {{ relation }} as movement on movement.customer_id = changed.customer_id
            where movement.day_on <= {{ as_of() }}
            {{ 'union all' if not loop.last }}
        {% endfor %}
    ),

    stretches as (
        {% for relation, sign in [(ref('fct_period_revenue'), 1), (published_table('fct_period_revenue'), -1)] %}
            select
                {{ sign }} as lots,
                period.campus_id,
                period.product_line,
                period.currency,
                period.value_amount,
                period.starts_on,
                period.total_days,
                period.first_on,
                least(period.last_on, before.day_on) as last_on
            from changed
            inner join {{ relation }} as period on period.customer_id = changed.customer_id
            cross join before
            where period.first_on <= before.day_on
            union all
        {% endfor %}
        select
            1 as lots,
            period.campus_id,
            period.product_line,
            period.currency,
            period.value_amount,
            period.starts_on,
            period.total_days,
            greatest(period.first_on, {{ add_days('before.day_on', 1) }}) as first_on,
            least(period.last_on, {{ as_of() }}) as last_on
        from before
        inner join {{ ref('fct_period_revenue') }} as period on period.last_on > before.day_on
        where
            period.first_on <= {{ as_of() }}
            and before.day_on < {{ as_of() }}
    ),

{% else %}

    movements as (
        select * from {{ ref('fct_revenue_movement') }}
        where day_on <= {{ as_of() }}
    ),

    stretches as (
        select
            1 as lots,
            campus_id,
            product_line,
            currency,
            value_amount,
            starts_on,
            total_days,
            first_on,
            least(last_on, {{ as_of() }}) as last_on
        from {{ ref('fct_period_revenue') }}
        where first_on <= {{ as_of() }}
    ),

{% endif %}

moved_by_day as (
    select
        campus_id,
        product_line,
        currency,
        day_on,
        sum(case when measure = 'billings' then amount else 0 end) as billings,
        sum(case when measure = 'refunds' then amount else 0 end) as refunds,
        sum(case when measure = 'recognised' then amount else 0 end) as recognised,
        sum(case when measure = 'expired' then amount else 0 end) as expired
    from movements
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
        last_on,
        sum(lots) as lots
    from stretches
    group by campus_id, product_line, currency, value_amount, starts_on, total_days, first_on, last_on
    having sum(lots) <> 0
),

-- Read by days() below, where the linter does not look.
first_days as (  -- noqa: ST03
    select min(day_on) as day_on from moved_by_day
    union all
    select min(first_on) as day_on from periods
    {% if published %}
        union all
        select min(day_on) as day_on from {{ published }}
    {% endif %}
),

all_days as (
    {{ days('(select min(day_on) from first_days)', as_of()) }}
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
    from moved_by_day
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
    {% if published %}
        union all
        select
            campus_id,
            product_line,
            currency,
            day_on,
            billings,
            refunds,
            recognised,
            expired
        from {{ published }}
    {% endif %}
),

added_up as (
    select
        campus_id,
        product_line,
        currency,
        day_on,
        sum(billings) as billings,
        sum(refunds) as refunds,
        sum(recognised) as recognised,
        sum(expired) as expired
    from everything
    group by campus_id, product_line, currency, day_on
    having sum(billings) <> 0 or sum(refunds) <> 0 or sum(recognised) <> 0 or sum(expired) <> 0
),

books as (
    select
        campus_id,
        product_line,
        currency,
        min(day_on) as first_on
    from added_up
    group by campus_id, product_line, currency
),

-- A row for every day, also where nothing moved: adding nothing is cheaper than joining days to what moved.
days_of_books as (
    select
        books.campus_id,
        books.product_line,
        books.currency,
        all_days.day_on,
        0 as billings,
        0 as refunds,
        0 as recognised,
        0 as expired
    from books
    inner join all_days on all_days.day_on >= books.first_on
    union all
    select * from added_up
),

by_day as (
    select
        campus_id,
        product_line,
        currency,
        day_on,
        sum(billings) as billings,
        sum(refunds) as refunds,
        sum(recognised) as recognised,
        sum(expired) as expired
    from days_of_books
    group by campus_id, product_line, currency, day_on
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
