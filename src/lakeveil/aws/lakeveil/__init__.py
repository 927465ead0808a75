"""Lakeveil's own API, for what AWS's have no operation for. The model is `service-2.json`."""
