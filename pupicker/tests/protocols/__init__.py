"""Tests of the Scipion plugin, in real headless projects."""
