-- One row per package: every package is an order.
select
    package.package_id as order_id,
    package.learner_id,
    null::text as contract_id,
    null::uuid as payer_name,
    null::uuid as payer_phone,
    null::uuid as payer_wechat_unionid,
    package.campus_id,
    null::text as coupon_id,
    'paid' as status,
    coalesce(package.list_price, package.paid) as list_amount,
    coalesce(package.list_price, package.paid) - package.paid as discount_amount,
    package.paid as payable_amount,
    package.currency,
    package.bought_at as placed_at,
    package.changed as updated_at,
    package._load_id
from {packages} as package
