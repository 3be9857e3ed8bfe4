"""The neurons' entries at the federation core.

Pure: ``report`` (what is told), ``records`` (the kept tokens), ``claims`` (who owns an id), ``neuron`` and ``roster``
(where each id stands), ``schedule`` and ``circuit`` (when to call), ``state`` and ``messages`` (what users read).
With effects: ``client`` speaks to the core, ``vault`` to Kubernetes' Secrets, ``conversation`` leads one id's talk,
``reporter`` chooses who talks when.
"""
