"""Steps as values, and the processes that they run in."""
