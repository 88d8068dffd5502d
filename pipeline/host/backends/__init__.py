"""The frameworks behind wasi-nn: each module here offers one as FRAMEWORK, and none needs a list.

What a new one must have is told in pipeline.host.backend.
"""
