-- What models of risk leave behind: measures and parameters, never a customer's value.

-- One row per target (churn, renewal, pass) and day as of which it was fitted: the better of the two candidates, and how it
-- did on days that it had not seen. A build takes the latest fit up to its own day, and uses it only if it beats the rule.
create table meta.risk_model (
    target text not null,
    fitted_as_of date not null,                 -- facts up to the end of this day were used
    scorer text not null,                       -- logistic or boosting; rule where there was too little to fit
    verdict text not null,                      -- beats_rule, does_not_beat_rule or too_few_cases
    -- probability = 1 / (1 + exp(-(calibration_slope * (intercept + contributions) + calibration_offset)))
    intercept double precision,
    calibration_slope double precision,
    calibration_offset double precision,
    base_rate double precision,                 -- share of cases on the days it was proven on
    rule_rate_on double precision,              -- share of cases among those in danger, on the days it was fitted to
    rule_rate_off double precision,             -- and among the others
    measures jsonb not null,                    -- both candidates and the rule, days of the split, reliability
    build_id text not null,                     -- the build whose tables it was fitted on
    fitted_at timestamptz not null default now(),
    primary key (target, fitted_as_of)
);

-- One row per feature and stretch of its values. purpose score: contribution = base + slope * value for values above
-- `above` and up to `up_to`; of a missing value: base of the row with is_missing. purpose drift: the share of rows in the
-- stretch on the days the model was proven on.
create table meta.risk_model_band (
    target text not null,
    fitted_as_of date not null,
    purpose text not null,
    feature text not null,
    band_no integer not null,
    is_missing boolean not null,
    above double precision,
    up_to double precision,
    base double precision,
    slope double precision,
    share double precision,
    weight_share double precision,              -- the feature's part in what all features contribute
    primary key (target, fitted_as_of, purpose, feature, band_no),
    foreign key (target, fitted_as_of) references meta.risk_model on delete cascade
);
