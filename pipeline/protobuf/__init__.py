"""Protobuf's wire format, without schemas."""
