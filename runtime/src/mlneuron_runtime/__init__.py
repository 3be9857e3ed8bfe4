"""A lean inference server: one model, one data plane, transports that only translate."""
