"""What every run needs.

``errors`` (one line that says what to do), ``device``, ``progress``, ``interruption`` (signals), ``atomic`` (whole
files or none), ``run_report`` (what was done, what was set aside), ``quarantine`` (the loop over micrographs).
"""
