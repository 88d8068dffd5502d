"""Scripts that run in child processes, some on another Python."""
