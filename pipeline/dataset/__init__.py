"""Many pictures at once: where they are, the shards of their tensors, and an index of both."""
