"""Tests of the configs: schema, loading, and the rules across keys."""
