"""The engine: manifests, graph, keys, plans, store, runs and the command line. It knows tables, but no videos."""
