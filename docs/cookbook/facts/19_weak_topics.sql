-- Question: Which topics are learners weak in, by subject of their courses?
-- Returns: one row per subject and topic in tests of the last 26 weeks: learners tested, those whose points in the
--   topic are below 70 % over these weeks, their share, and the mean share of points.
-- Caveat: mastery of one learner over time stands in fct_learning_week_topic; there homework counts as well. Topics
--   with fewer than twenty learners are left out. A learner counts once per subject and topic.
with

tests as (
    select
        courses.subject,
        topics.topic,
        topics.customer_id,
        sum(topics.score) / sum(topics.max_score) as score_rate
    from marts.publication as published
    inner join marts.fct_assessment_topic as topics
        on topics.taken_on > published.as_of - 26 * 7 and topics.taken_on <= published.as_of
    inner join marts.dim_course as courses on courses.course_id = topics.course_id
    inner join marts.dim_customer as customers on customers.customer_id = topics.customer_id
    where
        published.is_current
        and customers.is_reportable
        and topics.score is not null
    group by courses.subject, topics.topic, topics.customer_id
)

select
    subject,
    topic,
    count(*) as learners,
    count(*) filter (where score_rate < 0.7) as weak_learners,
    round(count(*) filter (where score_rate < 0.7)::numeric / count(*), 3) as weak_share,
    round(avg(score_rate), 3) as mean_score_rate
from tests
group by subject, topic
having count(*) >= 20
order by weak_share desc, subject, topic;
