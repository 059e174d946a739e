"""The engine: manifests, graph, keys, store, running, the command line. It knows tables, not videos."""
