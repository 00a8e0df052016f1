-- The campuses that whoever asks may see: those whose role it is a member of, directly or by other roles.
-- Policies on the tables of marts ask it once per query. Everything in it is looked up in pg_catalog only, so that
-- nobody can put an operator or function of their own in its way.

set local role lifecourse_publisher;

create function marts.my_campuses() returns text[]
language sql stable parallel safe
set search_path = pg_catalog, pg_temp
as $$
    select coalesce(array_agg(substr(rolname::text, length('lifecourse_campus_') + 1)), '{}')
    from pg_catalog.pg_roles
    where starts_with(rolname::text, 'lifecourse_campus_') and pg_has_role(oid, 'member')
$$;

comment on function marts.my_campuses() is
    'The campuses whose rows the current role may see, by its membership in lifecourse_campus_<campus_id>; head '
    'office sees every row whatever it says. Example: select marts.my_campuses().';
