"""Versions of a model that compete under one neuron: who answers whom, and how well."""
