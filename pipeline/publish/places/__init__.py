"""The places that releases are published to and fetched from."""
