"""Pages for people outside the warehouse, made from `marts` alone: the guardian's weekly report of a learner."""
