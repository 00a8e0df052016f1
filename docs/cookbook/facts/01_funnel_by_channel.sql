-- Question: How many enquiries of each channel come to a trial, and to a purchase?
-- Returns: one row per channel, and a last row for all; enquiries that were recorded at least 60 days before the day of
--   the build, so that most had their time.
-- Caveat: an enquiry is not a person: whoever asks twice counts twice, and a purchase counts for every enquiry before
--   it. Test records and children of staff are left out.
with

counted as (
    select
        leads.channel_code,
        count(*) as enquiries,
        count(leads.first_trial_booked_on) as trial_booked,
        count(leads.first_trial_attended_on) as trial_attended,
        count(leads.purchased_on) as purchased
    from marts.fct_lead as leads
    cross join marts.publication
    where
        publication.is_current
        and leads.is_reportable
        and leads.created_on <= publication.as_of - 60
    group by grouping sets ((leads.channel_code), ())
)

select
    coalesce(channel_code, 'all') as channel_code,
    enquiries,
    trial_booked,
    trial_attended,
    purchased,
    round(trial_attended::numeric / enquiries, 3) as trial_rate,
    round(purchased::numeric / enquiries, 3) as purchase_rate
from counted
order by counted.channel_code nulls last;
