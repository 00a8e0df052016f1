"""Getting rows in fast and whole: pull (source to landing), merge (landing to raw), deliver (the day is there)."""

from lifecourse.loading.deliver import deliver
from lifecourse.loading.merge import MergeReport, merge_system
from lifecourse.loading.pull import PullReport, pull_system

__all__ = ["MergeReport", "PullReport", "deliver", "merge_system", "pull_system"]
