"""BentoML, serving a method that takes rows."""
