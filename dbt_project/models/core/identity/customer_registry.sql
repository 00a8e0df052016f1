-- One row per learner id or lead ever seen, with the customer it belongs to now.
-- No common table expression, as in staging: a customer's row must be found by an index.
select
    registry.learner_id,
    registry.customer_id,
    registry.account_id,
    registry.registered_by_build
from {{ source('identity', 'identity_registry') }} as registry
