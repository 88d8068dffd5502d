"""A WASI command run with its own folders, no environment, and limits."""
