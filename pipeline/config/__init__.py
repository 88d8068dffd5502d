"""The TOML configs of fixtures and guests: schema, loading, and validation."""
