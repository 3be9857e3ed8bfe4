"""How fast this runtime serves, beside the servers that others use and the limits of what it is made of."""
