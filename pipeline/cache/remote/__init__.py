"""Remote caches: the protocol, its HTTP and bucket implementations."""
