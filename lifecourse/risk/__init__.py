"""Models that learn who will leave, renew or fail, measured against the plain rule "danger is on"."""
