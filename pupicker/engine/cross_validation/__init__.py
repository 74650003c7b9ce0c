"""Which options would pick best what training has not seen: ``folds``, then ``table``."""
