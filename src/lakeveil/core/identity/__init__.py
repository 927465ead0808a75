"""Who calls: accounts, the ARNs of those in them, what each may call, and who may become whom."""
