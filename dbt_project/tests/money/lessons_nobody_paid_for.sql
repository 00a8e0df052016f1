{{ config(severity='warn') }}
-- What: lessons that consumed hours which no lot of the customer covers.
-- Why it matters: teaching was given that brings no revenue: a package overdrawn, a line not paid yet, or an enrolment
-- that names no line.
-- What to do: settle with the family, or mend the enrolment's line; the rows are fct_lesson_consumption with coverage
-- none.
select
    consumption_id,
    campus_id,
    lesson_on,
    hours
from {{ in_scope('fct_lesson_consumption') }} as consumption
where coverage = 'none'
