"""What cannot be beaten: servers that answer a constant, and the model without a server."""
