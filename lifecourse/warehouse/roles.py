"""Who may do what. One place that says it; `lifecourse.warehouse.setup` carries it out.

None of these roles is a superuser, may create databases or roles, or passes row-level security.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Role(StrEnum):
    """Those who log in. `ADMIN` is for set-up only: nothing that runs at night uses it."""

    ADMIN = "admin"
    LOADER = "loader"
    TRANSFORMER = "transformer"
    PUBLISHER = "publisher"
    BI_READER = "bi_reader"
    ANALYST = "analyst"
    AIRFLOW = "airflow"
    SIMULATOR = "simulator"
    SOURCE_READER = "source_reader"
    VAULT_READER = "vault_reader"

    @property
    def login(self) -> str:
        """The name of the role in the cluster (the administrator's depends on the server)."""
        return LOGINS[self]


LOGINS = {
    Role.LOADER: "lifecourse_loader",
    Role.TRANSFORMER: "lifecourse_transformer",
    Role.PUBLISHER: "lifecourse_publisher",
    Role.BI_READER: "bi_reader",
    Role.ANALYST: "analyst",
    Role.AIRFLOW: "lifecourse_airflow",
    Role.SIMULATOR: "lifecourse_simulator",
    Role.SOURCE_READER: "lifecourse_source_reader",
    Role.VAULT_READER: "lifecourse_vault_reader",
}

#: Group of all logins of branches: what it may read, each sees the rows of its own campuses of.
BRANCH = "lifecourse_branch"
#: Group role of a campus: the prefix and the campus id. Migration 0005 and the policies know it too.
CAMPUS_PREFIX = "lifecourse_campus_"

#: Group of whoever may look contacts up for some purpose, and the prefix of the group of each purpose. Migration
#: 0009 knows it too.
CONTACT = "lifecourse_contact"
CONTACT_PREFIX = "lifecourse_contact_"

WAREHOUSE = "lifecourse"
SIMULATED = ("sim_signup", "sim_teaching", "sim_payments")
#: Owner of each database, and who else may connect. The warehouse belongs to the administrator.
DATABASES: dict[str, tuple[Role, tuple[Role, ...]]] = {
    WAREHOUSE: (
        Role.ADMIN,
        (Role.LOADER, Role.TRANSFORMER, Role.PUBLISHER, Role.BI_READER, Role.ANALYST, Role.VAULT_READER),
    ),
    "airflow": (Role.AIRFLOW, ()),
    **dict.fromkeys(SIMULATED, (Role.SIMULATOR, (Role.SOURCE_READER,))),
}


@dataclass(frozen=True)
class Schema:
    """A schema of the warehouse: its owner, who may look into it, and what they may do to all its tables."""

    name: str
    owner: Role
    readers: tuple[Role, ...] = ()
    #: May call the functions in it, and nothing else.
    callers: tuple[Role, ...] = ()
    #: Single tables on which a role may do more than read.
    writers: dict[Role, dict[str, str]] = field(default_factory=dict)


SCHEMAS = (
    Schema(
        "meta",
        Role.LOADER,
        readers=(Role.TRANSFORMER, Role.PUBLISHER),
        writers={
            Role.TRANSFORMER: {
                "build": "insert, update",
                "check_result": "insert, update",
                "model_state": "insert, update, delete",
                "model_parameter": "insert, delete",
                "risk_model": "insert, delete",
                "risk_model_band": "insert, delete",
            },
            Role.PUBLISHER: {"build": "update", "check_result": "insert", "publication": "insert, update"},
        },
    ),
    Schema("landing", Role.LOADER),
    Schema("raw", Role.LOADER),
    Schema("raw_history", Role.LOADER),
    Schema("quarantine", Role.LOADER),
    # Nobody but the loader reads the vault's tables: a look-up is a function that checks and logs.
    Schema("vault", Role.LOADER, callers=(Role.VAULT_READER,)),
    Schema("canonical", Role.LOADER, readers=(Role.TRANSFORMER,)),
    # The loader's look-up of contacts asks it for permissions.
    Schema("core", Role.TRANSFORMER, readers=(Role.PUBLISHER, Role.LOADER)),
    Schema("marts", Role.PUBLISHER, readers=(Role.TRANSFORMER, Role.BI_READER, Role.ANALYST)),
    # Nobody looks into these; their tables move to and from `marts` with the rights they have.
    Schema("marts_next", Role.PUBLISHER),
    Schema("marts_previous", Role.PUBLISHER),
    Schema("marts_undo", Role.PUBLISHER),
    Schema("scratch_analyst", Role.ANALYST),
)

#: Rights on the warehouse database besides connecting.
DATABASE_RIGHTS: dict[Role, str] = {
    # Migrations run as the loader, and may make schemas.
    Role.LOADER: "create, temporary",
    # asof_<day> schemas are made by the build of an old day.
    Role.TRANSFORMER: "create, temporary",
    Role.PUBLISHER: "temporary",
    Role.ANALYST: "temporary",
}

#: Settings that come with a reader's session. Their limits also bound how long a publication waits for it.
READER_SETTINGS = {
    "default_transaction_read_only": "on",
    "statement_timeout": "2min",
    "idle_in_transaction_session_timeout": "2min",
}
#: Large temporary tables: with the usual 8 MB a server that reads far ahead (PostgreSQL 18 with an
#: effective_io_concurrency of 64 and more) runs out of pages. A session takes only what it fills.
WORKER_SETTINGS = {"temp_buffers": "64MB"}
ROLE_SETTINGS: dict[Role, dict[str, str]] = {
    Role.LOADER: WORKER_SETTINGS,
    Role.TRANSFORMER: WORKER_SETTINGS,
    Role.PUBLISHER: WORKER_SETTINGS,
    Role.BI_READER: READER_SETTINGS,
    Role.ANALYST: {
        "statement_timeout": "10min",
        "idle_in_transaction_session_timeout": "5min",
    },
    # A source is only ever read.
    Role.SOURCE_READER: {"default_transaction_read_only": "on"},
}

#: Where personal values pass: the server's log must not quote them. Only a superuser can set these.
QUIET_ROLES = (
    Role.LOADER,
    Role.TRANSFORMER,
    Role.PUBLISHER,
    Role.SIMULATOR,
    Role.SOURCE_READER,
    Role.VAULT_READER,
)
QUIET_SETTINGS = {
    "log_min_messages": "fatal",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_parameter_max_length": "0",
}
