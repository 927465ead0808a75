"""The AWS Glue Data Catalog's API: translates, and calls the flows. See `service`."""
