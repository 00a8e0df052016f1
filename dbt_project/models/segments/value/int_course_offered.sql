-- One row per course with a subject: from which day on it was offered. Catalogues carry no dates: that is the day of
-- the first enrolment in it, or of its first class.
-- depends_on: {{ ref('changed_valuation') }}
{{ offered_courses() }}
