"""What a model of any framework tells of its inputs and outputs before it is converted."""
