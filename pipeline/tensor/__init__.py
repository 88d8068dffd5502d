"""Tensors: from images, sounds and texts to the bytes that a guest passes to set_input."""
