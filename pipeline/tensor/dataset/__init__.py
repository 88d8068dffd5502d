"""Datasets: where their pictures are, the shards of tensors, and their index."""
