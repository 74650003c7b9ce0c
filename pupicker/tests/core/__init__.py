"""Tests of the core: identities, limits and recovery of known parameters."""
