"""The TOML files that declare fixtures and guests: schema, loading, and checks across fields."""
