"""The configs as doit tasks: the only room that knows doit."""

from pipeline.engine.engine import Engine

__all__ = ["Engine"]
