"""Windows of the plugin (tk): a canvas that shows a micrograph, and dialogs around it."""
