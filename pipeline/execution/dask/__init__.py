"""Steps on a Dask cluster."""
