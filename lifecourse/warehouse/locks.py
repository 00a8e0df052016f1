"""Advisory lock numbers: who waits for whom. Kept in one place so that no two mean different things."""

from __future__ import annotations

#: A merge holds it shared, a build exclusively: no build sees half a night.
LOCK_BUILD = 7101
#: First key of the two-key lock that lets one process at a time work on (system, table); the second
#: key is a hash of their names.
LOCK_TABLE = 7102
#: One migration runner at a time.
LOCK_MIGRATE = 7103
#: One publication or rollback at a time.
LOCK_PUBLISH = 7104
#: One comparison of rule sets at a time: its schemas have fixed names.
LOCK_RULES = 7105
#: An erasure holds it exclusively, giving out new tokens shared: no value slips in behind an erasure.
LOCK_VAULT = 7106
