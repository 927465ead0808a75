"""AWS Lake Formation's API: translates, and calls the flows. See `service`."""
