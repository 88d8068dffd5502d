"""Architectures whose published weights come as a state dict; the names are those weights' own."""
