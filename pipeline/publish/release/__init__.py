"""What a release of a fixture holds: manifest, card, lock, provenance, signature."""
