-- One row per enquiry as recorded, with the learner whom it is known to be of: by the source, or by identity.
-- No common table expression, as in staging: one customer's leads must be found by an index.
select
    leads.lead_id,
    leads.contact_id,
    leads.campus_id,
    leads.campaign_id,
    leads.channel_code,
    leads.advisor_id,
    identified.learner_id,
    leads.learner_id as source_learner_id,
    leads.learner_birth_year,
    leads.learner_grade,
    leads.subject_interest,
    leads.intent,
    leads.status,
    leads.lost_reason,
    leads.is_test,
    leads.created_at,
    leads.created_on,
    leads.updated_at,
    leads._load_id
from {{ source('identity', 'identity_lead') }} as identified
inner join {{ ref('stg_leads') }} as leads on leads.lead_id = identified.lead_id
