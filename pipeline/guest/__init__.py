"""Guests: compiled to WebAssembly, their imports audited before they run."""
