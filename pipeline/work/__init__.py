"""Steps as values, and the supervised processes that they run in."""
