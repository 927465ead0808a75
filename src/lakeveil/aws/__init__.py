"""Doors that speak AWS wire protocols: verify, translate, call a flow."""
