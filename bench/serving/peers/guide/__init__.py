"""The guide's FastAPI server."""
