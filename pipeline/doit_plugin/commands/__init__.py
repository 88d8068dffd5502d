"""The commands that are added to doit, or changed: one module for each."""
