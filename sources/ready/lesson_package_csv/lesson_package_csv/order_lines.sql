-- One line per package, with the lessons bought and those given on top.
select
    package.package_id || '-1' as order_line_id,
    package.package_id as order_id,
    package.course_id,
    package.product_line,
    'package' as kind,
    'scheduled' as delivery,
    package.paid = 0 as is_gift,
    package.lessons_bought as paid_hours,
    coalesce(package.lessons_given, 0) as gift_hours,
    coalesce(package.list_price, package.paid) as list_amount,
    package.paid as net_amount,
    case when package.paid = 0 then (package.bought_at at time zone {timezone})::date end as granted_on,
    (package.bought_at at time zone {timezone})::date as starts_on,
    package.valid_to as ends_on,
    package.changed as updated_at,
    package._load_id
from {packages} as package
