"""One loader a framework. Each imports its library when it is asked to load, so a neuron pays for its own
only.
"""
