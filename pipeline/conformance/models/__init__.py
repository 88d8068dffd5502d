"""The models of the suite, a few hundred bytes each, written here field by field."""
