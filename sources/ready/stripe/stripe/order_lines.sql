-- One line per order of its own: a package of hours, else a period.
select
    charge.id || '-1' as order_line_id,
    charge.id as order_id,
    charge.course_id,
    coalesce(charge.product_line, 'stripe') as product_line,
    case when charge.hours is not null then 'package' else 'period' end as kind,
    'scheduled' as delivery,
    false as is_gift,
    charge.hours as paid_hours,
    case when charge.hours is not null then 0 end as gift_hours,
    charge.amount::numeric / case
        when charge.currency in
            ('bif', 'clp', 'djf', 'gnf', 'jpy', 'kmf', 'krw', 'mga', 'pyg', 'rwf', 'vnd', 'vuv', 'xaf', 'xof', 'xpf')
            then 1
        when charge.currency in ('bhd', 'jod', 'kwd', 'omr', 'tnd') then 1000
        else 100
    end as list_amount,
    charge.amount::numeric / case
        when charge.currency in
            ('bif', 'clp', 'djf', 'gnf', 'jpy', 'kmf', 'krw', 'mga', 'pyg', 'rwf', 'vnd', 'vuv', 'xaf', 'xof', 'xpf')
            then 1
        when charge.currency in ('bhd', 'jod', 'kwd', 'omr', 'tnd') then 1000
        else 100
    end as net_amount,
    null::date as granted_on,
    charge.starts_on,
    charge.ends_on,
    charge.created as updated_at,
    charge._load_id
from {charges} as charge
where
    charge.learner_id is not null
    and charge.order_id is null
