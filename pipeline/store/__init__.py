"""The cache on disk: digests, atomic writes, content-addressed objects and action records."""
