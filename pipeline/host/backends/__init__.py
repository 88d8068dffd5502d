"""The wasi-nn backends: each module here has a FRAMEWORK and is found automatically.

Their interface is in pipeline.host.backend.
"""
