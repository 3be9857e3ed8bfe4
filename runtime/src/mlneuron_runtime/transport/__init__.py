"""Protocols. A transport only translates: bytes to the data plane's questions, its answers and errors to
bytes.
"""
