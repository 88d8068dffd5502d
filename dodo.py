"""The tasks of the pipeline. `doit` builds and verifies; `doit list --all` shows every step."""

from pipeline.doit_plugin import load

DOIT_CONFIG, task_steps = load(__file__)
