"""Programs that infer with a framework's own runtime, on the Python that has it."""
