"""What a model's files are and what their interface is, without converting them."""
