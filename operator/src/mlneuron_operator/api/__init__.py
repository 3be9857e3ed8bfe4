"""The custom resources as typed models; the CRDs under ``crds/`` are generated from them."""
