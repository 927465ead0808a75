"""The outside world behind our ports: stores, queues, state, detectors, child processes."""
