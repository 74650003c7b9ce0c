"""Tests of pupicker: one folder for each layer."""
