-- Whose birthday it is, without a birth date leaving the vault. The day of the month is derived inside the vault only (an
-- index of it, no column); outside, a running build is told the learner ids of the one day of its list, and each telling
-- is written down.

-- Month and day of a hand-typed birth date as MM-DD: the spellings of lifecourse/privacy/normalise.py. Null for others.
create function vault.month_day(written text) returns text
language sql immutable strict parallel safe
set search_path = pg_catalog, pg_temp
as $$
    select lpad(parts[2], 2, '0') || '-' || lpad(parts[3], 2, '0')
    from regexp_match(
        normalize(btrim(written), NFKC), '^(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})日?$'
    ) as found (parts)
$$;

create index value_by_month_day on vault.value (vault.month_day(value)) where kind = 'birth_date' and is_valid;

-- One row per telling: to which build, for which day, how many.
create table vault.birthday_told (
    build_id text not null,
    day_on date not null,
    learners integer not null,
    told_by name not null,
    told_at timestamptz not null default now()
);

-- The learners whose birthday is the day after the day of a build, while that build runs: its list is worked on then.
-- Who was born on 29 February has it on the 28th in other years. Nobody for a build that does not run, so that no other
-- day can be asked for.
create function canonical.learners_with_birthday(asking_build text) returns setof text
language plpgsql volatile security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    list_on date;
    days text[];
    found text[];
begin
    select as_of + 1 into list_on from meta.build where build_id = asking_build and status = 'running';
    if list_on is null or to_regclass('canonical.learners') is null then
        return;
    end if;
    days := array[to_char(list_on, 'MM-DD')];
    if days[1] = '02-28' and to_char(list_on + 1, 'MM-DD') = '03-01' then
        days := days || '02-29'::text;
    end if;
    select coalesce(array_agg(learners.learner_id), '{}') into found
    from canonical.learners as learners
    join vault.value as value on value.token = learners.birth_date
    where value.kind = 'birth_date' and value.is_valid and vault.month_day(value.value) = any (days);
    insert into vault.birthday_told (build_id, day_on, learners, told_by)
    values (asking_build, list_on, cardinality(found), session_user);
    return query select unnest(found);
end
$$;

revoke all on function canonical.learners_with_birthday(text) from public;
grant execute on function canonical.learners_with_birthday(text) to lifecourse_transformer;
revoke all on function vault.month_day(text) from public;
