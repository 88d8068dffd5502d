"""Guests: compiled to wasm, and audited before anyone runs them."""
