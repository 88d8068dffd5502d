"""From the configs to the actions of every step; doit is not known here."""
