-- What: an action on the list has a purpose that its customer has not allowed, or is no customer who could have.
-- Why it matters: contact without consent is against the law (PIPL, articles 13 and 14), whoever made the list.
-- What to do: end the work on the list and build again. Compare int_contact_permission with the reason no_consent in
-- int_action_judged; a purpose that consent_purposes does not know is never allowed.
select
    actions.action_id,
    actions.purpose
from {{ ref('mart_next_action') }} as actions
left join {{ ref('int_contact_permission') }} as permissions
    on
        permissions.customer_id = actions.customer_id
        and permissions.purpose = actions.purpose
where
    actions.purpose is not null
    and not coalesce(permissions.is_allowed, false)
