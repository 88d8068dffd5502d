"""Datasets: many images, converted to shards of tensors, with an index."""
