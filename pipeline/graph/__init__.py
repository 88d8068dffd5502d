"""From the configs to the actions of every step, without doit."""
