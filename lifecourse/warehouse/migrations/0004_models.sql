-- What fitted models leave behind: parameters, never a customer's value.

-- One row per model, day as of which it was fitted, and parameter. Besides the model's own: payers, history_days and
-- log_likelihood. A build takes the latest fit up to its own day.
create table meta.model_parameter (
    model text not null,
    fitted_as_of date not null,                 -- facts up to the end of this day were used
    parameter text not null,
    value double precision not null,
    build_id text not null,                     -- the build whose tables it was fitted on
    fitted_at timestamptz not null default now(),
    primary key (model, fitted_as_of, parameter)
);
