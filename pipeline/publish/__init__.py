"""What a fixture's folder says of itself, for those who build on it."""
