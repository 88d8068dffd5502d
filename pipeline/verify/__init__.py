"""The verification of a fixture: model, tensors and guest are run, compared and recorded."""
