"""The same model by a faster engine: converted, compared with the original, measured, and used only if it is equal and
faster.

What prepares (`preparing`, `conversion`, `trees`, `forests`, `boosters`, `probes`, `comparison`) imports the original's
library and runs in a process of its own; what serves (`choosing`, `store`, `models.accelerated`) imports none of it.
"""
