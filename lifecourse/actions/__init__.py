"""The list of next actions, as people at a campus read it."""
