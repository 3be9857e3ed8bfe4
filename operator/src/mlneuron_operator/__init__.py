"""Kubernetes operator that runs machine-learning models as neurons of the Findawise Empire Federation."""
