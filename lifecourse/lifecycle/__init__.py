"""Commands about the lifecycle: one customer's timeline, the rules that hold, and what other rules would change."""
