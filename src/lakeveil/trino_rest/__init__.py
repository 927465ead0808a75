"""The Trino door: `/v1/statement` of Trino's client protocol, over the flows that Athena's uses."""
