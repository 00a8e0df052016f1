-- One row per paid line of a period that was granted: the customer's nth term in the product line, and its renewal.
with

lines as (
    select
        order_line_id,
        customer_id,
        product_line,
        net_amount,
        granted_on,
        {{ days_between('coalesce(starts_on, granted_on)', 'ends_on') }} + 1 as term_days,
        ends_on
    from {{ ref('fct_order_line') }}
    where
        kind = 'period'
        and not is_gift
        and granted_on is not null
        and ends_on >= granted_on
        and currency = {{ reporting_currency() }}
),

rules as (
    select
        cast(max(case when rule = 'renewal_days_before' then value end) as integer) as days_before,
        cast(max(case when rule = 'renewal_days_after' then value end) as integer) as days_after
    from {{ ref('value_rules') }}
    where coalesce(campus_id, '') = ''
),

renewed as (
    select
        lines.order_line_id,
        min(renewals.granted_on) as renewed_on
    from lines
    cross join rules
    inner join lines as renewals
        on
            renewals.customer_id = lines.customer_id
            and renewals.product_line = lines.product_line
            -- Later than the term itself, so that two lines bought at once do not renew each other.
            and renewals.granted_on > lines.granted_on
            and renewals.granted_on >= {{ add_days('lines.ends_on', '-rules.days_before') }}
            and renewals.granted_on <= {{ add_days('lines.ends_on', 'rules.days_after') }}
    group by lines.order_line_id
)

select
    lines.order_line_id,
    lines.customer_id,
    lines.product_line,
    cast(
        row_number() over (
            partition by lines.customer_id, lines.product_line
            order by lines.ends_on, lines.granted_on, lines.order_line_id
        ) as integer
    ) as term_no,
    lines.granted_on,
    lines.ends_on,
    lines.term_days,
    lines.net_amount,
    renewed.renewed_on,
    {{ add_days('lines.ends_on', 'rules.days_after') }} <= {{ as_of() }} as is_mature
from lines
cross join rules
left join renewed on renewed.order_line_id = lines.order_line_id
