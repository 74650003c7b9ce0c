"""Files, resident data, training and picking: everything between the tensors and the command line."""
