"""Gates: row rules on every landed batch, the audit of every candidate, and their Data Docs.

The rules stand in `expectations/`, one suite per canonical table. Great Expectations runs them;
what it finds leaves the database as counts and as queries, never as values.
"""

import os

# Read by Great Expectations when it is imported, which is always after this package.
os.environ["GX_ANALYTICS_ENABLED"] = "false"
