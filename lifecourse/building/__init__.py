"""From canonical tables to a built, audited and published candidate.

`begin` opens a build, `transform` runs dbt, `audit` checks the candidate and `publish` shows it to readers;
`build` does all four. Each may be run again: what is done stays done.
"""

from lifecourse.building.run import Build, Superseded, audit, begin, build, builds, publish, transform

__all__ = ["Build", "Superseded", "audit", "begin", "build", "builds", "publish", "transform"]
