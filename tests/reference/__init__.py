"""An independent reference of the lifecycle, and what is compared with it."""
