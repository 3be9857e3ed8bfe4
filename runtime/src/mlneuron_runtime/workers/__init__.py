"""Several processes that serve as one (`serving.workers` above 1), and the watch over those that hang.

The **supervisor** imports nothing heavy: it binds the ports, shares memory, starts the **workers** as fresh processes
(the threads of OpenMP and onnxruntime survive no fork), watches and replaces them. Each worker is a whole runtime; all
accept from the same listening sockets, so that what waits there is lost with no worker, and a worker that hangs takes
no new connections.
"""
