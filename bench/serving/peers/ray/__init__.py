"""Ray Serve, serving one row a request."""
