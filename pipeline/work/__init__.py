"""Execution of steps: builds, worker processes, and the Dask cluster."""
