"""Proof that model, tensors and guest fit together: run, compared, and kept as evidence."""
