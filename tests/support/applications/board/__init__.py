"""A package, so that its modules import one another."""
