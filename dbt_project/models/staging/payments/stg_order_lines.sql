-- One row per line of an order, i.e. per right to learn. Written by scripts/generate_staging.
select
    order_line_id,
    order_id,
    course_id,
    product_line,
    kind,
    delivery,
    is_gift,
    paid_hours,
    gift_hours,
    list_amount,
    net_amount,
    granted_on,
    starts_on,
    ends_on,
    updated_at,
    _system,
    _load_id,
    _is_stale
from {{ source('canonical', 'order_lines') }}
