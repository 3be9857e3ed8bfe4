"""LitServe, serving one row a request."""
